#include "protocol/info.hpp"

#include <doctest/doctest.h>

using namespace peal::protocol;

TEST_CASE("info: leaves out what there is not to say") {
  CHECK(info_line(Info{}) ==
        "INFO {\"server_id\":\"\",\"server_name\":\"\",\"version\":\"\",\"proto\":1,\"go\":\"\","
        "\"host\":\"\",\"port\":0,\"headers\":true,\"max_payload\":0} \r\n");
}

TEST_CASE("info: writes all it is told, in nats-server's order") {
  Info info;
  info.server_id = "N";
  info.server_name = "name";
  info.version = "2.15.1";
  info.go = "peal";
  info.host = "0.0.0.0";
  info.port = 65535;
  info.auth_required = true;
  info.tls_required = true;
  info.tls_verify = true;
  info.tls_available = true;
  info.max_payload = 1048576;
  info.client_id = 18446744073709551615u;
  info.client_ip = "127.0.0.1";
  info.nonce = "n";
  info.ldm = true;
  info.connect_info = true;
  info.remote_account = "$G";
  info.peal_version = "0.1.0";
  info.framings = {"text", "binary/1"};
  info.subject_aliases = 256;
  CHECK(info_line(info) ==
        "INFO {\"server_id\":\"N\",\"server_name\":\"name\",\"version\":\"2.15.1\",\"proto\":1,"
        "\"go\":\"peal\",\"host\":\"0.0.0.0\",\"port\":65535,\"headers\":true,"
        "\"auth_required\":true,\"tls_required\":true,\"tls_verify\":true,\"tls_available\":true,"
        "\"max_payload\":1048576,\"client_id\":18446744073709551615,"
        "\"client_ip\":\"127.0.0.1\",\"nonce\":\"n\",\"ldm\":true,\"connect_info\":true,"
        "\"remote_account\":\"$G\",\"peal_version\":\"0.1.0\",\"framings\":[\"text\",\"binary/1\"],"
        "\"subject_aliases\":256} \r\n");
}

TEST_CASE("info: a name cannot break out of the line") {
  Info info;
  info.server_name = "a\"b\\c\r\nPING\r\n";
  CHECK(info_line(info).find("\"a\\\"b\\\\c\\r\\nPING\\r\\n\"") != std::string::npos);
}
