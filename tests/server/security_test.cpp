// Who is let in, and the pieces that decide it: secrets, nkeys, users.
#include "server/security.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "server/secret.hpp"
#include "server/tls_link.hpp"

namespace peal::server {
namespace {

TEST_CASE("tls: a file that is not there is named, with what the system says") {
  TlsOptions options;
  options.certificates.push_back({"/nowhere/a.pem", "/nowhere/a.key"});
  const auto made = TlsContext::make(options);
  REQUIRE(std::holds_alternative<std::string>(made));
  CHECK(std::get<std::string>(made) == "tls: cert_file /nowhere/a.pem: No such file or directory");
}

TEST_CASE("tls: so many handshakes are under way at a time, and no more") {
  std::atomic<uint32_t> taken{0};
  std::vector<std::unique_ptr<Seat>> seats;
  for (uint32_t i = 0; i < handshake_seats; i++) {
    seats.push_back(std::make_unique<Seat>());
    REQUIRE(seats.back()->take(taken, handshake_seats));
  }
  Seat late;
  CHECK(!late.take(taken, handshake_seats));
  seats.front()->leave();
  CHECK(late.take(taken, handshake_seats));
  seats.clear();
  late.leave();
  CHECK(taken == 0);
}

TEST_CASE("secret: same and not the same, whatever the lengths") {
  CHECK(same_secret("", ""));
  CHECK(same_secret("abc", "abc"));
  CHECK_FALSE(same_secret("abc", "abd"));
  CHECK_FALSE(same_secret("abc", "abcd"));
  CHECK_FALSE(same_secret("abc", ""));
  CHECK_FALSE(same_secret(std::string("a\0b", 3), "a"));
}

TEST_CASE("secret: bcrypt, with hashes that others have made") {
  // From the test vectors of crypt_blowfish.
  const std::string hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  CHECK(is_password_hash(hash));
  CHECK(password_matches_hash("U*U", hash));
  CHECK_FALSE(password_matches_hash("U*V", hash));
  CHECK_FALSE(password_matches_hash(std::string("U*U\0x", 5), hash));
  CHECK_FALSE(password_matches_hash("", hash));
  const auto made = hash_password("s3cret", 4);
  REQUIRE(made);
  CHECK(is_password_hash(*made));
  CHECK(password_matches_hash("s3cret", *made));
  CHECK_FALSE(password_matches_hash("S3cret", *made));
  CHECK_FALSE(is_password_hash("s3cret"));
  CHECK_FALSE(is_password_hash("$2a$short"));
  // Whoever has read it in a file must not get in by it, and what follows it counts for nothing.
  for (const std::string& odd : {hash.substr(0, 59), hash.substr(0, 7), hash + " ", hash + "x"}) {
    CAPTURE(odd);
    CHECK(is_password_hash(odd));
    CHECK_FALSE(password_matches_hash(odd, odd));
    CHECK(password_matches_hash("U*U", odd) == (odd.size() > hash.size()));
  }
}

TEST_CASE("secret: base64 of either alphabet, with padding and without") {
  CHECK(decode_base64("aGVsbG8=") == "hello");
  CHECK(decode_base64("aGVsbG8") == "hello");
  CHECK(decode_base64("-_-_") == decode_base64("+/+/"));
  CHECK(decode_base64("") == "");
  for (const char* bad : {"a", "aGVsb G8", "aGVs\n", "a*bc", "aGVsbG8=x"}) {
    CAPTURE(bad);
    CHECK_FALSE(decode_base64(bad));
  }
  CHECK(random_base64(11).size() == 15);
  CHECK(random_base64(11) != random_base64(11));
}

// A pair made for this test; its signature is over the nonce below.
constexpr const char* public_key = "UBEPD4MIM5TUS6M7E34OFNHY5OLNGDHLY5PSAPJLLIE5N5P535VSLC5P";
constexpr const char* signature =
    "BR8pfZzd-DqF0R-LXcyxsuxsL77xBBA_BbOiBbean6YIQaCCo5s235fgM_TNPQSK7xRBOB23dtpi_kaVhn0fAg";
constexpr const char* nonce = "dGhlIG5vbmNlIA";

TEST_CASE("nkey: a known answer, and nothing else") {
  const auto key = decode_user_nkey(public_key);
  REQUIRE(key);
  CHECK(encode_nkey(NkeyKind::user, *key) == public_key);
  const auto bytes = decode_base64(signature);
  REQUIRE(bytes);
  CHECK(verify_signature(*key, nonce, *bytes));
  CHECK_FALSE(verify_signature(*key, "dGhlIG5vbmNlIB", *bytes));
  std::string other = *bytes;
  other[10] = static_cast<char>(other[10] ^ 1);
  CHECK_FALSE(verify_signature(*key, nonce, other));
  // The bug that this keeps out: a signature or a key of the wrong length reaching the library.
  for (const size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{32}}) {
    CHECK_FALSE(verify_signature(*key, nonce, bytes->substr(0, size)));
  }
  CHECK_FALSE(verify_signature(*key, nonce, *bytes + "x"));
}

TEST_CASE("nkey: a text that is not one to the last bit is none") {
  const std::string good = public_key;
  for (size_t i = 0; i < good.size(); i++) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    CAPTURE(bad);
    CHECK_FALSE(decode_user_nkey(bad));
  }
  for (const std::string& bad : {std::string(), good.substr(1), good + "A", std::string(56, 'U'),
                                 std::string(56, '1'), "S" + good.substr(1)}) {
    CHECK_FALSE(decode_user_nkey(bad));
  }
}

UserOptions user(std::string name, std::string password) {
  UserOptions made;
  made.name = std::move(name);
  made.password = std::move(password);
  return made;
}

protocol::ConnectOptions says(std::string name, std::string password) {
  protocol::ConnectOptions options;
  options.user = std::move(name);
  options.pass = std::move(password);
  return options;
}

bool let_in(const Security& security, const protocol::ConnectOptions& options) {
  Attempt attempt = security.try_connect(options, nonce, nullptr);
  if (attempt.proof != nullptr && !holds(*attempt.proof)) return false;
  return attempt.user != nullptr;
}

TEST_CASE("security: users, by password and by hash") {
  SecurityOptions options;
  options.users = {user("plain", "p"), user("hashed", *hash_password("h", 4))};
  const auto security = Security::make(options, nullptr);
  CHECK(security->auth_required());
  CHECK(let_in(*security, says("plain", "p")));
  CHECK(let_in(*security, says("hashed", "h")));
  CHECK_FALSE(let_in(*security, says("plain", "h")));
  CHECK_FALSE(let_in(*security, says("hashed", "p")));
  CHECK_FALSE(let_in(*security, says("hashed", options.users[1].password)));
  CHECK_FALSE(let_in(*security, says("nobody", "h")));
  CHECK_FALSE(let_in(*security, says("", "p")));
  CHECK_FALSE(let_in(*security, {}));
  // An unknown name must take as long as a wrong password, whoever has a hash.
  CHECK(security->try_connect(says("nobody", "x"), nonce, nullptr).proof != nullptr);
  CHECK(security->try_connect(says("plain", "x"), nonce, nullptr).proof != nullptr);
  CHECK(security->try_connect(says("plain", "p"), nonce, nullptr).proof == nullptr);
}

TEST_CASE("security: who has no password is not to be had by name where certificates name users") {
  SecurityOptions options;
  options.users = {user("by-certificate", ""), user("u", "p")};
  CHECK(let_in(*Security::make(options, nullptr), says("by-certificate", "")));
  options.certificates_mapped_elsewhere = true;
  const auto security = Security::make(options, nullptr);
  CHECK_FALSE(let_in(*security, says("by-certificate", "")));
  CHECK(let_in(*security, says("u", "p")));
}

UserRef user_named(const SecurityOptions& options, std::string_view subject,
                   std::vector<std::string> texts = {}) {
  return Security::make(options, nullptr)
      ->user_of_certificate({std::move(texts), DistinguishedName::parse(subject)});
}

SecurityOptions mapping(const std::vector<std::string>& names) {
  SecurityOptions options;
  options.tls.emplace().verify_and_map = true;
  for (const std::string& name : names) options.users.push_back(user(name, ""));
  return options;
}

TEST_CASE("security: a certificate's subject is a user's name however that is spelled") {
  CHECK(user_named(mapping({"cn=svc, OU=Dev, O=Acme\\, Inc"}), "CN=svc,OU=Dev,O=Acme\\2C Inc"));
  CHECK(user_named(mapping({"O=Acme, cn=svc"}), "CN=svc,O=Acme"));
  CHECK_FALSE(user_named(mapping({"CN=Svc,O=Acme"}), "CN=svc,O=Acme"));
  CHECK_FALSE(user_named(mapping({"CN=svc+O=Acme"}), "CN=svc,O=Acme"));
  CHECK_FALSE(user_named(mapping({"svc"}), "CN=svc"));
  CHECK_FALSE(user_named(mapping({"CN=svc"}), "UID=svc"));
}

TEST_CASE("security: of the names of a certificate, a text comes before the order of its subject") {
  const auto options = mapping({"O=Acme,CN=svc", "CN=svc, O=Acme", "svc@x.y"});
  CHECK(user_named(options, "CN=svc,O=Acme", {"svc@x.y"})->name == "svc@x.y");
  CHECK(user_named(options, "CN=svc,O=Acme", {"other@x.y"})->name == "CN=svc, O=Acme");
  CHECK(user_named(options, "O=Acme,CN=svc")->name == "O=Acme,CN=svc");
  CHECK(user_named(mapping({"CN=a,O=b", "CN=a, O=b"}), "CN=a,O=b")->name == "CN=a,O=b");
}

TEST_CASE("security: names are not looked at as subjects where certificates name nobody") {
  SecurityOptions options = mapping({"CN=svc"});
  options.tls->verify_and_map = false;
  CHECK_FALSE(user_named(options, "CN=svc"));
}

TEST_CASE("security: token, and the one user") {
  SecurityOptions with_token;
  with_token.token = "t";
  const auto token = Security::make(with_token, nullptr);
  protocol::ConnectOptions connect;
  connect.auth_token = "t";
  CHECK(let_in(*token, connect));
  connect.user = "x";
  CHECK(let_in(*token, connect));
  CHECK_FALSE(let_in(*token, says("", "t")));
  CHECK_FALSE(let_in(*token, says("t", "")));

  SecurityOptions single;
  single.user = "u";
  single.password = "p";
  const auto one = Security::make(single, nullptr);
  CHECK(let_in(*one, says("u", "p")));
  CHECK_FALSE(let_in(*one, says("u", "")));
  CHECK_FALSE(let_in(*one, says("", "p")));
}

TEST_CASE("security: who says nothing is the default user, who says something wrong is nobody") {
  SecurityOptions options;
  options.users = {user("u", "p"), user("guest", "g")};
  options.no_auth_user = "guest";
  const auto security = Security::make(options, nullptr);
  CHECK(security->try_connect({}, nonce, nullptr).user->name == "guest");
  CHECK_FALSE(let_in(*security, says("u", "g")));
  CHECK_FALSE(let_in(*security, says("guest", "")));
  // These say nothing to a server that knows no nkeys and no JWTs.
  protocol::ConnectOptions with_others;
  with_others.nkey = public_key;
  with_others.jwt = "jwt";
  CHECK(let_in(*security, with_others));
}

TEST_CASE("security: a token is asked for where certificates name nobody") {
  SecurityOptions options;
  options.token = "t";
  options.tls.emplace().verify_and_map = true;
  const auto security = Security::make(options, nullptr);
  protocol::ConnectOptions connect;
  CHECK_FALSE(let_in(*security, connect));
  connect.auth_token = "t";
  CHECK(let_in(*security, connect));
}

TEST_CASE("security: who is not there costs what the dearest hash costs") {
  SecurityOptions options;
  options.users = {user("cheap", *hash_password("a", 4)), user("dear", *hash_password("b", 5)),
                   user("plain", "c")};
  const auto security = Security::make(options, nullptr);
  const Attempt attempt = security->try_connect(says("nobody", "d"), nonce, nullptr);
  REQUIRE(attempt.proof);
  CHECK(std::get<PasswordProof>(*attempt.proof).hash == options.users[1].password);
}

TEST_CASE("security: an nkey has to sign, whatever else is said") {
  SecurityOptions options;
  UserOptions keyed;
  keyed.name = public_key;
  keyed.is_nkey = true;
  options.users = {keyed, user("u", "p")};
  const auto security = Security::make(options, nullptr);
  CHECK(security->wants_nonce());
  protocol::ConnectOptions connect;
  connect.nkey = public_key;
  CHECK_FALSE(let_in(*security, connect));
  connect.sig = signature;
  CHECK(let_in(*security, connect));
  connect.sig = "short";
  CHECK_FALSE(let_in(*security, connect));
  CHECK_FALSE(let_in(*security, says(public_key, "")));
  connect.sig.clear();
  connect.user = "u";
  connect.pass = "p";
  CHECK_FALSE(let_in(*security, connect));
}

TEST_CASE("security: accounts keep their ids and what they have in use over a reload") {
  SecurityOptions options;
  options.accounts.resize(2);
  options.accounts[0].name = "A";
  options.accounts[0].users = {user("a", "1")};
  options.accounts[1].name = "B";
  options.accounts[1].users = {user("b", "2")};
  const auto before = Security::make(options, nullptr);
  CHECK(before->account(0)->name == "$G");
  const AccountId a = before->try_connect(says("a", "1"), nonce, nullptr).user->account->id;
  const AccountId b = before->try_connect(says("b", "2"), nonce, nullptr).user->account->id;
  CHECK(a != b);
  CHECK(a != global_account);
  before->account(b)->use->connections = 7;

  std::swap(options.accounts[0], options.accounts[1]);
  const auto after = Security::make(options, before.get());
  CHECK(after->try_connect(says("b", "2"), nonce, nullptr).user->account->id == b);
  CHECK(after->account(b)->use->connections == 7);
}

TEST_CASE("security options: what contradicts itself is refused") {
  SecurityOptions options;
  options.user = "u";
  options.password = "p";
  CHECK_FALSE(contradiction_in(options));
  options.token = "t";
  CHECK(contradiction_in(options));
  options.token.clear();
  options.users = {user("x", "y")};
  CHECK(contradiction_in(options));
  options.user.clear();
  CHECK_FALSE(contradiction_in(options));  // Nobody's password beside users.
  options.users.clear();
  CHECK(contradiction_in(options));
  options.users = {user("x", "y")};
  options.password.clear();
  CHECK_FALSE(contradiction_in(options));
  options.no_auth_user = "y";
  CHECK(contradiction_in(options));
  options.no_auth_user = "x";
  CHECK_FALSE(contradiction_in(options));
  options.accounts.resize(1);
  options.accounts[0].users = {user("x", "z")};
  CHECK(contradiction_in(options));
  options = {};
  options.accounts.resize(1);
  options.accounts[0].users = {user("x", "z")};
  options.token = "t";
  CHECK(contradiction_in(options));
  options.token.clear();
  options.user = "u";
  CHECK(contradiction_in(options));
  options.user.clear();
  CHECK_FALSE(contradiction_in(options));
  options.accounts[0].users[0].password = hash_password("z", 4)->substr(0, 59);
  const auto error = contradiction_in(options);
  REQUIRE(error);
  CHECK(
      *error ==
      "the password of user \"x\" is a bcrypt hash of 59 characters, and a whole one has 60; make "
      "one with peal-server passwd");
}

}  // namespace
}  // namespace peal::server
