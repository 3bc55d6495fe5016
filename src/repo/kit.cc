#include "repo/kit.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/codec.h"
#include "crypto/hash.h"
#include "crypto/shamir.h"
#include "repo/kit_lines.h"

namespace holdfast::repo {

namespace {

constexpr std::size_t kDigestBytes = 8;

struct Part {
  unsigned threshold = 0, shares = 0;
  std::array<std::uint8_t, 4> set{};
  RepositoryId id{};
  crypto::Share share;
};

Bytes digest(const Hash& hash) { return Bytes(hash).first(kDigestBytes); }

Buffer encode(const Part& part) {
  Encoder out;
  out.u8(0);
  out.u8(static_cast<std::uint8_t>(part.threshold));
  out.u8(static_cast<std::uint8_t>(part.shares));
  out.u8(part.share.number);
  out.raw(part.set);
  out.raw(part.id);
  out.u16(static_cast<std::uint16_t>(part.share.bytes.size()));
  out.raw(part.share.bytes);
  out.raw(digest(crypto::hash(out.bytes())));
  return out.take();
}

Result<Part> decode(Bytes bytes) {
  Decoder in(bytes);
  Part part;
  const std::uint8_t version = in.u8();
  part.threshold = in.u8();
  part.shares = in.u8();
  part.share.number = in.u8();
  part.set = in.array<4>();
  part.id = in.array<16>();
  const std::uint16_t size = in.u16();
  if (!in.ok()) return Error(Errc::usage, "the kit's last lines are missing");
  if (version != 0)
    return Error(Errc::unsupported, "the kit is of a later version").hint("use a newer holdfast");
  if (std::size_t{size} + kDigestBytes > in.left()) {
    const std::size_t whole = bytes.size() - in.left() + size + kDigestBytes;
    return Error(Errc::usage,
                 fmt::format("the kit's last lines are missing: it has {}, must have {}",
                             bytes.size() / kKitLineBytes, (whole + kKitLineBytes - 1) / kKitLineBytes));
  }
  const Bytes share = in.raw(size);
  part.share.bytes.assign(share.begin(), share.end());
  const Bytes before = bytes.first(bytes.size() - in.left());
  const bool possible = part.threshold >= 1 && part.threshold <= part.shares && part.share.number >= 1 &&
                        part.share.number <= part.shares && size > kDigestBytes;
  if (!crypto::equal(in.raw(kDigestBytes), digest(crypto::hash(before))) || !possible) {
    return Error(Errc::usage, "lines of different kits are mixed: their common check does not fit");
  }
  return part;
}

std::string text_of(const Part& part, const std::string& made) {
  std::string text = "HOLDFAST RECOVERY KIT\n\n";
  text += fmt::format("Repository {}, format version 0. Made {}.\n", hex(part.id), made);
  if (part.shares == 1) {
    text += "Whoever has this text can read, change and remove all that the repository holds.\n";
  } else {
    text += fmt::format(
        "Share {} of {} of set {}: any {} of them together open the repository, fewer tell "
        "nothing.\n",
        part.share.number, part.shares, hex(part.set), part.threshold);
  }
  text +=
      "\nPrint it, and keep it where neither the repository nor its passwords are.\n"
      "To use it type the numbered lines, with their numbers, into a file. Small letters are as good as\n"
      "capitals, spaces do not matter, O counts as 0, I and L as 1. Then set a new password with\n\n";
  text +=
      fmt::format("    holdfast --repo REPOSITORY key recover FILE{}\n\n", part.shares > 1 ? " FILE…" : "");
  Buffer bytes = encode(part);
  text += kit_lines(bytes);
  crypto::wipe(bytes);
  return text;
}

// Of one set, each number once, or why not.
Result<std::vector<Part>> parts_of(const std::vector<std::string_view>& texts) {
  std::vector<Part> parts;
  for (const std::string_view text : texts) {
    const auto blocks = TRY(parse_kit_lines(text));
    for (const Buffer& block : blocks) {
      Part part = TRY(decode(block));
      const bool twice = std::any_of(parts.begin(), parts.end(), [&](const Part& p) {
        return p.set == part.set && p.share.number == part.share.number;
      });
      if (!twice) parts.push_back(std::move(part));
    }
  }
  if (parts.empty()) return Error(Errc::usage, "there is no line of a recovery kit in it");
  for (const Part& part : parts) {
    if (part.set == parts.front().set && part.threshold == parts.front().threshold &&
        part.share.bytes.size() == parts.front().share.bytes.size()) {
      continue;
    }
    return Error(Errc::usage,
                 fmt::format("shares of different sets are mixed: share {} is of set {}, share {} of "
                             "set {}",
                             parts.front().share.number, hex(parts.front().set), part.share.number,
                             hex(part.set)))
        .hint("give shares of one set");
  }
  return parts;
}

}  // namespace

Result<std::vector<std::string>> make_kit(const RepositoryId& id, const Secrets& secrets, KitShape shape,
                                          const std::string& made, Random& random) {
  if (shape.threshold < 1 || shape.threshold > shape.shares || shape.shares > 255) {
    return Error(Errc::usage, fmt::format("{} of {} shares can't be", shape.threshold, shape.shares))
        .hint("a threshold of at least 1, and at most as many as there are shares; at most 255 shares");
  }
  Buffer secret = encode_secrets(secrets);
  append(secret, digest(crypto::hash(secret)));
  Part part;
  part.threshold = shape.threshold;
  part.shares = shape.shares;
  part.set = random.array<4>();
  part.id = id;
  std::vector<std::string> texts;
  for (crypto::Share& share : crypto::split(secret, shape.threshold, shape.shares, random)) {
    part.share = std::move(share);
    texts.push_back(text_of(part, made));
    crypto::wipe(part.share.bytes);
  }
  crypto::wipe(secret);
  return texts;
}

Result<Secrets> read_kit(const RepositoryId& id, const std::vector<std::string_view>& texts) {
  const std::vector<Part> parts = TRY(parts_of(texts));
  if (parts.front().id != id) {
    return Error(Errc::wrong_key, fmt::format("the kit is of repository {}, this is {}",
                                              hex(parts.front().id).substr(0, 10), hex(id).substr(0, 10)));
  }
  if (parts.size() < parts.front().threshold) {
    return Error(Errc::usage, fmt::format("{} of the {} shares that are needed were given", parts.size(),
                                          parts.front().threshold));
  }
  std::vector<crypto::Share> shares;
  for (const Part& part : parts) shares.push_back(part.share);
  shares.resize(parts.front().threshold);
  Buffer secret = crypto::combine(shares);
  const Bytes bundle = Bytes(secret).first(secret.size() - kDigestBytes);
  const bool whole = crypto::equal(digest(crypto::hash(bundle)), Bytes(secret).last(kDigestBytes));
  auto secrets = whole ? decode_secrets(bundle)
                       : Result<Secrets>(Error(Errc::usage, "the shares do not belong together"));
  crypto::wipe(secret);
  return secrets;
}

}  // namespace holdfast::repo
