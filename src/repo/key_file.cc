#include "repo/key_file.h"

#include <fmt/core.h>

#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

constexpr char kSecretWord[] = "holdfast-secret-key-1";
constexpr char kRecipientWord[] = "holdfast-recipient-1";

std::string check_of(std::string_view word, std::string_view digits) {
  Buffer text(word.begin(), word.end());
  append(text, as_bytes(digits));
  const Hash hash = crypto::hash(text);
  crypto::wipe(text);
  return hex(Bytes(hash).first(4));
}

std::string line_of(std::string_view word, Bytes key) {
  std::string digits = hex(key);
  std::string line = fmt::format("{} {} {}\n", word, digits, check_of(word, digits));
  crypto::wipe({reinterpret_cast<std::uint8_t*>(digits.data()), digits.size()});
  return line;
}

std::string_view next_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

Result<void> parse(std::string_view text, std::string_view wanted, MutableBytes out) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view word = next_word(line);
    if (word.empty() || word.front() == '#') continue;
    const std::string_view digits = next_word(line), check = next_word(line);
    if (word != wanted && word == kSecretWord)
      return Error(Errc::usage, "that is a secret key, not a public one");
    if (word != wanted && word == kRecipientWord)
      return Error(Errc::usage, "that is a public key, not a secret one");
    if (word != wanted) break;
    if (!unhex(digits, out) || check != check_of(word, digits)) {
      return Error(Errc::usage, "the key is damaged: its check does not fit");
    }
    return {};
  }
  return Error(Errc::usage, fmt::format("there is no line '{} …' in it", wanted))
      .hint("`holdfast key new-recipient FILE` makes a pair of keys");
}

}  // namespace

std::string secret_key_text(const crypto::Key& secret) { return line_of(kSecretWord, secret.bytes()); }

std::string recipient_text(const crypto::PublicKey& recipient) { return line_of(kRecipientWord, recipient); }

Result<crypto::Key> parse_secret_key(std::string_view text) {
  crypto::Key key;
  TRY(parse(text, kSecretWord, key.writable()));
  return key;
}

Result<crypto::PublicKey> parse_recipient(std::string_view text) {
  crypto::PublicKey key{};
  TRY(parse(text, kRecipientWord, key));
  return key;
}

}  // namespace holdfast::repo
