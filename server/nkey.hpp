#pragma once
// nkeys: Ed25519 public keys written as text, by which a client shows who it is without a secret
// that the server would have to know. It knows their spelling, and verifies; which keys are known,
// it must never know.
//
// The text is base32 (RFC 4648, no padding) of a prefix byte, the key's 32 bytes, and a CRC-16
// (XMODEM, little endian) over both. A user's begins with U. Source: the NATS nkeys specification.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peal::server {

using PublicKey = std::array<uint8_t, 32>;

/// The prefix: so that the first letter is N or U.
enum class NkeyKind : uint8_t { server = 13 << 3, user = 20 << 3 };

std::string encode_nkey(NkeyKind kind, const PublicKey& key);

/// The key of a user; nothing if the text is not one to the last bit.
std::optional<PublicKey> decode_user_nkey(std::string_view text);

/// Whether `signature`, of whatever length, is the key's over `message`.
bool verify_signature(const PublicKey& key, std::string_view message, std::string_view signature);

}  // namespace peal::server
