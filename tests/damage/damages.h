// Ways to damage the specimen, and what must follow from each.
#pragma once

#include "tests/damage/examine.h"

namespace holdfast::testing {

// Made once, for all tests.
const Specimen& specimen();
std::shared_ptr<const Buffer> shared(Buffer bytes);

// Bytes [from, to) of an object are altered by `alter`.
Damage altered(const std::string& name, std::size_t from, std::size_t to,
               const std::function<std::uint8_t(std::uint8_t)>& alter);
// A byte of each of these frames of a pack is another one; and where they are too many for parity, `lost`
// can't be read.
Damage frames_altered(const std::string& name, const std::set<std::uint32_t>& frames,
                      std::optional<std::uint32_t> lost);
// In every pack, one byte of each of as many frames as parity replaces, the `group`th of them, at `offset` of
// the frame: the check must tell exactly those frames.
Damage byte_in_every_pack(std::uint32_t group, std::size_t offset);
// A frame and all parity that it has, so that it is lost. (The specimen's packs have one stripe each.)
Damage frame_lost(const std::string& name, std::uint32_t frame);
// The object is another one now, or none (null).
Damage replaced(const std::string& name, std::shared_ptr<const Buffer> by, const std::string& what);

// Whether that byte of an object is one of a frame.
bool in_frames(const std::string& name, std::size_t at);
// Where parity begins.
std::size_t frames_end(const std::string& name);

}  // namespace holdfast::testing
