#include "protocol/error.hpp"

#include <doctest/doctest.h>

using namespace peal::protocol;

TEST_CASE("error: the texts are those of nats-server") {
  CHECK(err_line(Refusal::unknown_operation) == "-ERR 'Unknown Protocol Operation'\r\n");
  CHECK(err_line(Refusal::control_line_exceeded) == "-ERR 'maximum control line exceeded'\r\n");
  CHECK(err_line(Refusal::payload_exceeded) == "-ERR 'Maximum Payload Violation'\r\n");
  CHECK(err_line(Refusal::authorization_violation) == "-ERR 'Authorization Violation'\r\n");
  CHECK(err_line(Refusal::invalid_client_protocol) == "-ERR 'invalid client protocol'\r\n");
  CHECK(err_line(Refusal::no_responders_requires_headers) ==
        "-ERR 'no responders requires headers support'\r\n");
  CHECK(err_line(Refusal::connections_exceeded) == "-ERR 'maximum connections exceeded'\r\n");
  CHECK(err_line(Refusal::subscriptions_exceeded) == "-ERR 'maximum subscriptions exceeded'\r\n");
  CHECK(err_line(Refusal::stale_connection) == "-ERR 'Stale Connection'\r\n");
  CHECK(err_line(Refusal::invalid_subject) == "-ERR 'Invalid Subject'\r\n");
  CHECK(err_line(Refusal::invalid_publish_subject) == "-ERR 'Invalid Publish Subject'\r\n");
}

TEST_CASE("error: what is wrong with frames is said, and closes") {
  CHECK(err_line(Refusal::invalid_frame) == "-ERR 'Invalid Frame'\r\n");
  CHECK(err_line(Refusal::unknown_subject_alias) == "-ERR 'Unknown Subject Alias'\r\n");
  CHECK(err_line(Refusal::subject_aliases_exceeded) ==
        "-ERR 'maximum subject aliases exceeded'\r\n");
  CHECK(err_line(Refusal::unsupported_framing) == "-ERR 'Unsupported Framing'\r\n");
  CHECK(err_line(Refusal::framing_fixed) == "-ERR 'Framing Cannot Change'\r\n");
}

TEST_CASE("error: some say nothing and close") {
  for (const Refusal refusal :
       {Refusal::parse_error, Refusal::protocol_violation, Refusal::headers_not_negotiated}) {
    CHECK(err_line(refusal).empty());
    CHECK(facts(refusal).closes);
  }
}

TEST_CASE("error: details stand where the text has room for them") {
  CHECK(err_line(Refusal::publish_denied, {"a.{}"}) ==
        "-ERR 'Permissions Violation for Publish to \"a.{}\"'\r\n");
  CHECK(err_line(Refusal::subscribe_denied, {"y"}) ==
        "-ERR 'Permissions Violation for Subscription to \"y\"'\r\n");
  CHECK(err_line(Refusal::subscribe_queue_denied, {"y", "q"}) ==
        "-ERR 'Permissions Violation for Subscription to \"y\" using queue \"q\"'\r\n");
  CHECK(err_line(Refusal::subscription_queue_revoked, {"y", "q", "2"}) ==
        "-ERR 'Permissions Violation for Subscription to \"y\" using queue \"q\" (sid "
        "\"2\")'\r\n");
}

TEST_CASE("error: details are quoted as nats-server quotes them") {
  const auto quoted = [](std::string_view detail) {
    std::string line = err_line(Refusal::publish_denied, {detail});
    const size_t begin = line.find('"') + 1;
    return line.substr(begin, line.rfind('"') - begin);
  };
  CHECK(quoted("a\"b\\c") == "a\\\"b\\\\c");
  CHECK(quoted("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(quoted("\xc2\xa0\xc2\x85\xc2\xad\xc2\xa1") == "\\u00a0\\u0085\\u00ad\xc2\xa1");
  CHECK(quoted("\xff\xc3") == "\\xff\\xc3");
  CHECK(quoted("\xc0\x80\xed\xa0\x80") == "\\xc0\\x80\\xed\\xa0\\x80");
  CHECK(quoted("\xf4\x90\x80\x80\xe2\x82") == "\\xf4\\x90\\x80\\x80\\xe2\\x82");
  CHECK(quoted("\x7f") == "\\x7f");
}

TEST_CASE("error: what closes has a reason, what does not has none") {
  for (int i = 0; i <= int(Refusal::subscription_queue_revoked); i++) {
    const RefusalFacts& row = facts(Refusal(i));
    CAPTURE(i);
    CHECK(row.closes == !row.close_reason.empty());
    if (!row.closes && row.refusal != Refusal::none) CHECK_FALSE(row.text.empty());
  }
}
