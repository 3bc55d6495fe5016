#include "tests/damage/damages.h"

namespace holdfast::testing {

const Specimen& specimen() {
  static const Specimen made = Specimen::make();
  return made;
}

std::shared_ptr<const Buffer> shared(Buffer bytes) {
  return std::make_shared<const Buffer>(std::move(bytes));
}

Damage altered(const std::string& name, std::size_t from, std::size_t to,
               const std::function<std::uint8_t(std::uint8_t)>& alter) {
  Damage damage;
  damage.what = fmt::format("{} altered in [{}, {})", name, from, to);
  Buffer bytes = *specimen().objects.at(name);
  for (std::size_t i = from; i < to; ++i) bytes[i] = alter(bytes[i]);
  damage.put[name] = shared(std::move(bytes));
  damage.loss = loss_of(specimen(), name, from, to);
  damage.found = found_of(specimen(), name, from, to);
  damage.named = {name};
  const std::string kind = class_of(name);
  // Of a fate nobody can say any more whose it was; a lost set of references touches no file.
  damage.attributed = kind != "fate" && kind != "refs" && kind != "log";
  damage.within_parity = is_pack(name);
  return damage;
}

Damage frames_altered(const std::string& name, const std::set<std::uint32_t>& frames,
                      std::optional<std::uint32_t> lost) {
  const PackLayout& pack = specimen().packs.at(name);
  Damage damage;
  damage.what = fmt::format("{}: {} frames from {}", name, frames.size(), *frames.begin());
  Buffer bytes = *specimen().objects.at(name);
  for (const std::uint32_t frame : frames) {
    std::uint8_t& byte = bytes[repo::kPackHeaderBytes + frame * pack.frame_bytes + 100 + frame];
    byte = static_cast<std::uint8_t>(~byte);
  }
  damage.put[name] = shared(std::move(bytes));
  if (lost) damage.loss = loss_of_frame(specimen(), name, *lost);
  damage.found = lost ? Found::damage : Found::warning;
  damage.within_parity = !lost;
  damage.named = {name};
  return damage;
}

Damage byte_in_every_pack(std::uint32_t group, std::size_t offset) {
  Damage damage;
  damage.what = fmt::format("byte {} of frames, the {}th of them", offset, group);
  damage.found = Found::warning;
  damage.within_parity = true;
  for (const auto& [name, pack] : specimen().packs) {
    const std::uint32_t all = pack.frames() + pack.parity_frames;
    const std::uint32_t first = group * pack.parity_frames;
    if (first >= all || offset >= pack.frame_bytes) continue;
    const std::uint32_t end = std::min(first + pack.parity_frames, all);
    Buffer bytes = *specimen().objects.at(name);
    std::string at;
    for (std::uint32_t frame = first; frame < end; ++frame) {
      const auto bit = static_cast<std::uint8_t>(1u << (offset * 5 + frame) % 8);
      bytes[repo::kPackHeaderBytes + frame * pack.frame_bytes + offset] ^= bit;
      at += (frame == first ? "" : ", ") + std::to_string(frame);
    }
    damage.put[name] = shared(std::move(bytes));
    damage.named.insert(name);
    damage.told[name] = fmt::format("{} of {} frames are damaged (at {})", end - first, all, at);
  }
  return damage;
}

bool in_frames(const std::string& name, std::size_t at) {
  return is_pack(name) && at >= repo::kPackHeaderBytes && at < specimen().packs.at(name).tables_begin();
}

Damage frame_lost(const std::string& name, std::uint32_t frame) {
  const PackLayout& pack = specimen().packs.at(name);
  std::set<std::uint32_t> frames{frame};
  for (std::uint32_t p = 0; p < pack.parity_frames; ++p) frames.insert(pack.frames() + p);
  return frames_altered(name, frames, frame);
}

Damage replaced(const std::string& name, std::shared_ptr<const Buffer> by, const std::string& what) {
  Damage damage;
  damage.what = fmt::format("{} {}", name, what);
  if (by == nullptr) {
    damage.removed = {name};
  } else {
    damage.put[name] = std::move(by);
  }
  damage.loss = loss_of(specimen(), name);
  damage.named = {name};
  const std::string kind = class_of(name);
  damage.attributed = is_pack(name) || kind == "man" || kind == "open";
  if (kind == "spec") damage.found = Found::anything;
  return damage;
}

std::size_t frames_end(const std::string& name) {
  const PackLayout& pack = specimen().packs.at(name);
  return repo::kPackHeaderBytes + std::size_t{pack.frames()} * pack.frame_bytes;
}

}  // namespace holdfast::testing
