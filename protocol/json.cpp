#include "protocol/json.hpp"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <variant>

#include "protocol/json_memory.hpp"

namespace peal::protocol {
namespace {

constexpr size_t first_bytes = 1024;  // INFO with room to spare.
constexpr size_t levels = 16;

}  // namespace

struct JsonWriter::Library {
  using Utf8 = rapidjson::UTF8<>;
  using Buffer = rapidjson::GenericStringBuffer<Utf8, JsonMemory>;
  using OneLine = rapidjson::Writer<Buffer, Utf8, Utf8, JsonMemory>;
  using Indented = rapidjson::PrettyWriter<Buffer, Utf8, Utf8, JsonMemory>;

  explicit Library(JsonLayout layout) {
    if (layout == JsonLayout::one_line) {
      writer.emplace<OneLine>(buffer, nullptr, levels);
    } else {
      writer.emplace<Indented>(buffer, nullptr, levels).SetIndent(' ', 2);
    }
  }

  template <typename Write>
  void write(Write write_to) {
    if (auto* const one_line = std::get_if<OneLine>(&writer)) {
      write_to(*one_line);
    } else {
      write_to(std::get<Indented>(writer));
    }
  }

  Buffer buffer{nullptr, first_bytes};
  std::variant<std::monostate, OneLine, Indented> writer;
};

JsonWriter::JsonWriter(JsonLayout layout) : library_(std::make_unique<Library>(layout)) {}
JsonWriter::JsonWriter(JsonWriter&&) noexcept = default;
JsonWriter::~JsonWriter() = default;

JsonWriter& JsonWriter::begin_object() {
  library_->write([&](auto& writer) { writer.StartObject(); });
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  library_->write([&](auto& writer) { writer.EndObject(); });
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  library_->write([&](auto& writer) { writer.StartArray(); });
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  library_->write([&](auto& writer) { writer.EndArray(); });
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  library_->write([&](auto& writer) { writer.Key(name.data(), rapidjson::SizeType(name.size())); });
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  // The library may be asked for no bytes, but not from nowhere.
  const char* const begin = text.data() == nullptr ? "" : text.data();
  library_->write([&](auto& writer) { writer.String(begin, rapidjson::SizeType(text.size())); });
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) {
  library_->write([&](auto& writer) { writer.Bool(flag); });
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  library_->write([&](auto& writer) { writer.Double(number); });
  return *this;
}

JsonWriter& JsonWriter::value(int64_t number) {
  library_->write([&](auto& writer) { writer.Int64(number); });
  return *this;
}

JsonWriter& JsonWriter::value(uint64_t number) {
  library_->write([&](auto& writer) { writer.Uint64(number); });
  return *this;
}

JsonWriter& JsonWriter::null() {
  library_->write([&](auto& writer) { writer.Null(); });
  return *this;
}

std::string_view JsonWriter::text() const {
  return {library_->buffer.GetString(), library_->buffer.GetSize()};
}

}  // namespace peal::protocol
