#pragma once
// Secrets: telling whether two are the same without telling how much of them is, hashing passwords,
// and forgetting. It knows bytes and hashes; whose they are, it must never know.

#include <optional>
#include <string>
#include <string_view>

namespace peal::server {

/// Takes as long for a secret that is nearly right as for one that is all wrong, or of another
/// length.
bool same_secret(std::string_view one, std::string_view other);

/// Overwrites the text, and empties it.
void forget_secret(std::string& text);

/// So long is a bcrypt hash. What is configured behind it counts for nothing, as in nats-server.
inline constexpr size_t password_hash_bytes = 60;

/// Whether a configured password is a bcrypt hash ($2a$, $2b$, $2x$ or $2y$, then its cost) and not
/// the password itself. One that was cut short is still no password: who has read it must not get
/// in by it.
bool is_password_hash(std::string_view text);

/// Takes as long as the hash's cost says: a tenth of a second is usual. Any thread but a shard's.
bool password_matches_hash(const std::string& password, const std::string& hash);

/// A bcrypt hash of a password, with a salt of its own. `cost` is from 4 to 31, each step twice as
/// slow. Nothing when the system has no bcrypt.
std::optional<std::string> hash_password(const std::string& password, unsigned cost);

/// From base64, with either alphabet and with padding or without. Nothing if it is none.
std::optional<std::string> decode_base64(std::string_view text);

/// `bytes` of chance, as text of the URL alphabet without padding.
std::string random_base64(size_t bytes);

}  // namespace peal::server
