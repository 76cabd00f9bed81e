#include "protocol/info.hpp"

#include <string_view>

#include "protocol/json.hpp"

namespace peal::protocol {
namespace {

// Writes members of one object. `put` writes in any case, `put_if_any` only what says something.
class Members {
 public:
  explicit Members(JsonWriter& json) : json_(json) {}

  template <typename Value>
  void put(std::string_view key, const Value& value) {
    json_.key(key).value(value);
  }
  void put(std::string_view key, const std::vector<std::string>& texts) {
    json_.key(key).begin_array();
    for (const std::string& text : texts) json_.value(text);
    json_.end_array();
  }

  template <typename Value>
  void put_if_any(std::string_view key, const Value& value) {
    if (value != Value{}) put(key, value);
  }

 private:
  JsonWriter& json_;
};

}  // namespace

std::string info_line(const Info& info) {
  JsonWriter json;
  json.begin_object();
  Members members(json);
  members.put("server_id", info.server_id);
  members.put("server_name", info.server_name);
  members.put("version", info.version);
  members.put("proto", info.proto);
  members.put("go", info.go);
  members.put("host", info.host);
  members.put("port", int{info.port});
  members.put("headers", info.headers);
  members.put_if_any("auth_required", info.auth_required);
  members.put_if_any("tls_required", info.tls_required);
  members.put_if_any("tls_verify", info.tls_verify);
  members.put_if_any("tls_available", info.tls_available);
  members.put("max_payload", info.max_payload);
  members.put_if_any("client_id", info.client_id);
  members.put_if_any("client_ip", info.client_ip);
  members.put_if_any("nonce", info.nonce);
  members.put_if_any("ldm", info.ldm);
  members.put_if_any("connect_info", info.connect_info);
  members.put_if_any("remote_account", info.remote_account);
  members.put_if_any("peal_version", info.peal_version);
  members.put_if_any("framings", info.framings);
  members.put_if_any("subject_aliases", info.subject_aliases);
  json.end_object();

  std::string line = "INFO ";
  line += json.text();
  line += " \r\n";
  return line;
}

}  // namespace peal::protocol
