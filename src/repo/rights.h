// Rights and roles: which secrets a key slot opens, and what its holder may do with them.
// docs/format/keys.md, "Roles". Rights are one to one with secrets; a role is a usual set of them. Pure.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "repo/keys.h"

namespace holdfast::repo {

// In the order of the secrets' numbers in the format.
enum class Right : std::uint8_t { deduplicate, index, read, admin, commit, log };

enum class Role : std::uint8_t { admin, read, write, maint, audit };

bool allows(Rights rights, Right right);

const char* name(Role role);
// "admin", "read", "write", "maint", "audit".
std::optional<Role> parse_role(std::string_view text);
Rights rights_of(Role role);
// The role with exactly these rights, by name; else the rights themselves: "index, log".
std::string describe(Rights rights);

// The part of `secrets` that the role needs. Errc::denied where some are not there to be given away.
Result<Secrets> narrowed(const Secrets& secrets, Role role);

// Errc::denied, naming the first right that is missing and the roles that have it.
Result<void> require(const Secrets& secrets, std::initializer_list<Right> needed);
Error lacks(Right right);

}  // namespace holdfast::repo
