#include "protocol/json.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace peal::protocol {
namespace {

constexpr size_t first_bytes = 1024;  // INFO with room to spare.
constexpr size_t levels = 16;

}  // namespace

struct JsonWriter::Library {
  rapidjson::StringBuffer buffer{nullptr, first_bytes};
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer, nullptr, levels};
};

JsonWriter::JsonWriter() : library_(std::make_unique<Library>()) {}
JsonWriter::~JsonWriter() = default;

JsonWriter& JsonWriter::begin_object() {
  library_->writer.StartObject();
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  library_->writer.EndObject();
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  library_->writer.StartArray();
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  library_->writer.EndArray();
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  library_->writer.Key(name.data(), rapidjson::SizeType(name.size()));
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  // The library may be asked for no bytes, but not from nowhere.
  library_->writer.String(text.data() == nullptr ? "" : text.data(),
                          rapidjson::SizeType(text.size()));
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) {
  library_->writer.Bool(flag);
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  library_->writer.Double(number);
  return *this;
}

JsonWriter& JsonWriter::value(int64_t number) {
  library_->writer.Int64(number);
  return *this;
}

JsonWriter& JsonWriter::value(uint64_t number) {
  library_->writer.Uint64(number);
  return *this;
}

JsonWriter& JsonWriter::null() {
  library_->writer.Null();
  return *this;
}

std::string_view JsonWriter::text() const {
  return {library_->buffer.GetString(), library_->buffer.GetSize()};
}

}  // namespace peal::protocol
