#include "protocol/connect.hpp"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <system_error>
#include <utility>

#include "protocol/json_memory.hpp"
#include "protocol/letter_case.hpp"

namespace peal::protocol {
namespace {

// A known field is of one of three types, and the member it goes to says of which.
struct Field {
  std::string_view name;
  bool ConnectOptions::*flag = nullptr;
  int ConnectOptions::*number = nullptr;
  std::string ConnectOptions::*text = nullptr;
};

constexpr Field of_flag(std::string_view name, bool ConnectOptions::*flag) {
  return {name, flag, nullptr, nullptr};
}
constexpr Field of_number(std::string_view name, int ConnectOptions::*number) {
  return {name, nullptr, number, nullptr};
}
constexpr Field of_text(std::string_view name, std::string ConnectOptions::*text) {
  return {name, nullptr, nullptr, text};
}

constexpr Field fields[] = {
    of_flag("verbose", &ConnectOptions::verbose),
    of_flag("pedantic", &ConnectOptions::pedantic),
    of_flag("echo", &ConnectOptions::echo),
    of_flag("headers", &ConnectOptions::headers),
    of_flag("no_responders", &ConnectOptions::no_responders),
    of_flag("tls_required", &ConnectOptions::tls_required),
    of_flag("new_account", &ConnectOptions::new_account),
    of_number("protocol", &ConnectOptions::protocol),
    of_text("name", &ConnectOptions::name),
    of_text("lang", &ConnectOptions::lang),
    of_text("version", &ConnectOptions::version),
    of_text("user", &ConnectOptions::user),
    of_text("pass", &ConnectOptions::pass),
    of_text("auth_token", &ConnectOptions::auth_token),
    of_text("nkey", &ConnectOptions::nkey),
    of_text("jwt", &ConnectOptions::jwt),
    of_text("sig", &ConnectOptions::sig),
    of_text("proxy_sig", &ConnectOptions::proxy_sig),
    of_text("account", &ConnectOptions::account),
    of_text("remote_account", &ConnectOptions::remote_account),
    of_text("framing", &ConnectOptions::framing),
};

const Field* field_of(std::string_view key) {
  const Field* const field =
      std::find_if(std::begin(fields), std::end(fields), [&](const Field& f) {
        return std::equal(f.name.begin(), f.name.end(), key.begin(), key.end(),
                          [](char name, char letter) { return name == lower(letter); });
      });
  return field == std::end(fields) ? nullptr : field;
}

bool read_integer(std::string_view digits, int& number) {
  long long value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stopped != end) return false;  // `1.0` and `1e0` are no integers.
  number = int(std::clamp<long long>(value, std::numeric_limits<int>::min(),
                                     std::numeric_limits<int>::max()));
  return true;
}

// What the JSON reader calls for each value it meets; false stops it. Only what stands right in the
// document's object can be a known field.
class Merger {
 public:
  explicit Merger(ConnectOptions& options) : options_(options) {}

  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    field_ = depth_ == 1 ? field_of({text, bytes}) : nullptr;
    return true;
  }
  bool Null() { return true; }  // For a field: as if it were not there. For a document: empty.
  bool Bool(bool value) {
    if (field_ == nullptr) return depth_ > 0;
    if (field_->flag == nullptr) return false;
    options_.*field_->flag = value;
    return true;
  }
  bool RawNumber(const char* text, rapidjson::SizeType bytes, bool) {
    if (field_ == nullptr) return depth_ > 0;
    return field_->number != nullptr && read_integer({text, bytes}, options_.*field_->number);
  }
  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    if (field_ == nullptr) return depth_ > 0;
    if (field_->text == nullptr) return false;
    (options_.*field_->text).assign(text, bytes);
    return true;
  }
  bool StartObject() {
    if (field_ != nullptr) return false;
    depth_++;
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return leave(); }
  bool StartArray() { return depth_ > 0 && StartObject(); }
  bool EndArray(rapidjson::SizeType) { return leave(); }

  // The reader asks for these too, but not when it hands numbers over as they are written.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  bool leave() {
    field_ = nullptr;
    depth_--;
    return true;
  }

  ConnectOptions& options_;
  const Field* field_ = nullptr;  // Of the value that comes next; null if it is nothing to us.
  size_t depth_ = 0;
};

}  // namespace

bool merge_connect(std::string_view json, ConnectOptions& io) {
  // Iterative, so that how deep a stranger nests his brackets is not how deep our stack goes.
  constexpr unsigned flags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  ConnectOptions merged = io;
  Merger merger(merged);
  rapidjson::MemoryStream stream(json.data(), json.size());
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, JsonMemory> reader;
  if (reader.Parse<flags>(stream, merger).IsError()) return false;
  // To the reader a NUL is the end of the document. It may not be the end of the line.
  if (stream.Tell() != json.size()) return false;
  io = std::move(merged);
  return true;
}

}  // namespace peal::protocol
