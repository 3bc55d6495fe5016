// Files with the keys of a recipient: one line of text, a secret key or a public one, with a check against
// typing errors. docs/format/keys.md, "Files of recipients". Pure.
#pragma once

#include <string>
#include <string_view>

#include "crypto/sign.h"

namespace holdfast::repo {

std::string secret_key_text(const crypto::Key& secret);
std::string recipient_text(const crypto::PublicKey& recipient);
// Lines that are empty or begin with # are passed over. Errc::usage where the text is no such key.
Result<crypto::Key> parse_secret_key(std::string_view text);
Result<crypto::PublicKey> parse_recipient(std::string_view text);

}  // namespace holdfast::repo
