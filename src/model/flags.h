// The flags of chattr(1), as Linux codes them for FS_IOC_GETFLAGS, and which of them a snapshot keeps: those
// that somebody can have set, not those that tell how a file system lays the object out. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::model {

inline constexpr std::uint32_t kFlagImmutable = 0x10;
inline constexpr std::uint32_t kFlagAppendOnly = 0x20;
inline constexpr std::uint32_t kFlagEncrypted = 0x800;
inline constexpr std::uint32_t kFlagCompressed = 0x4;
inline constexpr std::uint32_t kFlagUncompressed = 0x400;
inline constexpr std::uint32_t kFlagNoCow = 0x800000;
inline constexpr std::uint32_t kFlagCasefold = 0x40000000;
// Given on to what is made in a directory.
inline constexpr std::uint32_t kFlagProjectInherit = 0x20000000;

// The letters of lsattr(1) of all flags that are kept, in the order of their bits: "id" is immutable, nodump.
// E (encrypted) and V (verity) are kept to be told, since no restore can set them.
std::string flags_text(std::uint32_t flags);

// All flags that have a letter above.
std::uint32_t kept_flags();

// What to set on an object that has `there`, so that it gets those of a snapshot, `kept`: how it is laid out
// stays, and that it is encrypted, since a target decides that for all that is made in it.
std::uint32_t flags_over(std::uint32_t there, std::uint32_t kept);

}  // namespace holdfast::model
