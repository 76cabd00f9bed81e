#pragma once
// Writes JSON, for INFO and for what monitoring serves. It knows JSON's grammar, and keeps the
// library that does the escaping out of everybody else's sight; what is written it does not look
// at.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace peal::protocol {

/// On one line, or as people like to read it: a line for each value, indented by two.
enum class JsonLayout : uint8_t { one_line, indented };

/// The caller opens and closes in order, and gives a key before each value in an object. Text that
/// is not UTF-8 passes as it is; control bytes and quotes are escaped, so no text ever breaks a
/// line.
class JsonWriter {
 public:
  explicit JsonWriter(JsonLayout layout = JsonLayout::one_line);
  JsonWriter(JsonWriter&&) noexcept;
  ~JsonWriter();

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(double number);
  JsonWriter& value(int number) { return value(int64_t{number}); }
  JsonWriter& value(int64_t number);
  JsonWriter& value(uint32_t number) { return value(uint64_t{number}); }
  JsonWriter& value(uint64_t number);
  JsonWriter& null();

  /// What was written so far. It is gone with the next call, or with the writer.
  std::string_view text() const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace peal::protocol
