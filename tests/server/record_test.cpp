#include "server/record.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "core/ledger.hpp"
#include "core/mailbox.hpp"

namespace peal::server {
namespace {

TEST_CASE("record: texts are taken in the order in which they were put") {
  alignas(MessageHead) char bytes[256];
  MessageHead head;
  head.flags = message_plain | message_extended;
  head.subject_bytes = 10;
  head.message_bytes = 5;
  head.origin_slot = 7;
  head.origin_generation = 0xabcdef;
  MessageExtension extension;
  extension.reply_bytes = 3;
  extension.hops = 2;
  char* end = put(bytes, &head, sizeof head);
  end = put(end, &extension, sizeof extension);
  end = put(put(put(end, "abc"), "orders.new"), "hello");

  std::string_view record(bytes, static_cast<size_t>(end - bytes));
  CHECK(&message_head(record) == reinterpret_cast<MessageHead*>(bytes));
  const auto same = take_head<MessageHead>(record);
  CHECK(same.kind == RecordKind::message);
  CHECK(same.flags == (message_plain | message_extended));
  CHECK(same.origin_slot == 7);
  CHECK(same.origin_generation == 0xabcdef);
  const auto there = take_head<MessageExtension>(record);
  CHECK(there.hops == 2);
  CHECK(take(record, there.reply_bytes) == "abc");
  CHECK(take(record, same.subject_bytes) == "orders.new");
  CHECK(take(record, same.message_bytes) == "hello");
  CHECK(record.empty());
}

TEST_CASE("record: every head says its kind in its first byte") {
  const auto first_byte = [](const auto& head) {
    RecordKind kind;
    std::memcpy(&kind, &head, sizeof kind);
    return kind;
  };
  CHECK(first_byte(MessageHead{}) == RecordKind::message);
  CHECK(first_byte(InterestHead{}) == RecordKind::interest);
  CHECK(first_byte(ConnectionRecord{}) == RecordKind::connection);
  CHECK(first_byte(StallRecord{}) == RecordKind::stall);
  CHECK(first_byte(NoRespondersHead{}) == RecordKind::no_responders);
}

TEST_CASE("record: a message's head may be read where it lies in a mailbox") {
  CHECK(alignof(MessageHead) <= core::Mailbox::record_align_bytes);
  CHECK(sizeof(MessageHead) % alignof(MessageHead) == 0);
}

TEST_CASE("record: a block that crosses by reference is let go of when its record is") {
  const int64_t before = core::ledger().total();
  for (const bool by_reference : {false, true}) {
    CAPTURE(by_reference);
    core::BlockRef block = core::make_payload_block(1000);
    if (!block) std::abort();
    core::BlockRef traveller = block;
    alignas(MessageHead) char bytes[128];
    MessageHead head;
    head.flags = by_reference ? message_by_reference : 0;
    head.subject_bytes = 3;
    const ReferencePart part{traveller.get(), block->bytes()};
    char* end = put(bytes, &head, sizeof head);
    end = put(end, "a.b");
    end = put(end, &part, sizeof part);
    release_reference({bytes, static_cast<size_t>(end - bytes)});
    if (by_reference) traveller.leave();
    CHECK(block.shared() == !by_reference);
  }
  CHECK(core::ledger().total() == before);
}

TEST_CASE("record: a buffer that lines lie in is let go of when their record is, read or not") {
  const std::string lines = "PUB a 1\r\nx\r\nPUB b 1\r\ny\r\n";
  core::BufferHold hold;
  alignas(MessageHead) char bytes[128];
  MessageHead head;
  head.flags = message_plain | message_lines | message_in_place;
  const LinesPart part{&hold, lines.data(), static_cast<uint32_t>(lines.size())};
  char* const content = put(bytes, &head, sizeof head);
  const char* const end = put(content, &part, sizeof part);
  const std::string_view record(bytes, static_cast<size_t>(end - bytes));

  hold.begin();
  {
    const RecordedLines read(head, record.substr(sizeof head));
    CHECK(read.bytes() == lines);
    CHECK(read.bytes().data() == lines.data());
    CHECK(!hold.ended());
  }
  CHECK(hold.ended());
  hold.begin();
  release_reference(record);
  CHECK(hold.ended());
}

TEST_CASE("record: lines that were copied are what stands behind the head") {
  MessageHead head;
  head.flags = message_plain | message_lines;
  const RecordedLines read(head, "PUB a 1\r\nx\r\n");
  CHECK(read.bytes() == "PUB a 1\r\nx\r\n");
}

}  // namespace
}  // namespace peal::server
