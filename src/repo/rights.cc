#include "repo/rights.h"

#include <fmt/core.h>

namespace holdfast::repo {

namespace {

constexpr Role kRoles[] = {Role::admin, Role::read, Role::write, Role::maint, Role::audit};

constexpr Rights mask(std::initializer_list<Right> rights) {
  unsigned bits = 0;
  for (const Right right : rights) bits |= 1u << static_cast<unsigned>(right);
  return static_cast<Rights>(bits);
}
constexpr Right kRights[] = {Right::deduplicate, Right::index,  Right::read,
                             Right::admin,       Right::commit, Right::log};

// What one does with it, after "the right to".
const char* purpose(Right right) {
  switch (right) {
    case Right::deduplicate:
      return "cut and recognise chunks";
    case Right::index:
      return "see which snapshots there are";
    case Right::read:
      return "read what snapshots hold";
    case Right::admin:
      return "manage keys";
    case Right::commit:
      return "add snapshots";
    case Right::log:
      return "forget, tag and remove snapshots";
  }
  return "do this";
}

const char* word(Right right) {
  constexpr const char* kWords[] = {"deduplicate", "index", "read", "admin", "commit", "log"};
  return kWords[static_cast<std::size_t>(right)];
}

}  // namespace

const char* name(Role role) {
  constexpr const char* kNames[] = {"admin", "read", "write", "maint", "audit"};
  return kNames[static_cast<std::size_t>(role)];
}

bool allows(Rights rights, Right right) { return (rights & mask({right})) != 0; }

std::optional<Role> parse_role(std::string_view text) {
  for (const Role role : kRoles) {
    if (text == name(role)) return role;
  }
  return std::nullopt;
}

Rights rights_of(Role role) {
  switch (role) {
    case Role::admin:
      return kAllRights;
    case Role::read:
      return mask({Right::deduplicate, Right::index, Right::read});
    case Role::write:
      return mask({Right::deduplicate, Right::index, Right::commit});
    case Role::maint:
      return mask({Right::index, Right::log});
    case Role::audit:
      break;
  }
  return 0;
}

std::string describe(Rights rights) {
  for (const Role role : kRoles) {
    if (rights == rights_of(role)) return name(role);
  }
  std::string words;
  for (const Right right : kRights) {
    if (allows(rights, right)) words += (words.empty() ? "" : ", ") + std::string(word(right));
  }
  return words;
}

Result<Secrets> narrowed(const Secrets& secrets, Role role) {
  const Rights wanted = rights_of(role);
  for (const Right right : kRights) {
    if ((wanted & mask({right})) && !(secrets.rights() & mask({right}))) return lacks(right);
  }
  Secrets out = secrets.copy();
  out.restrict(wanted);
  return out;
}

Error lacks(Right right) {
  std::string roles;
  int count = 0;
  for (const Role role : kRoles) {
    if (!(rights_of(role) & mask({right}))) continue;
    roles += (count++ == 0 ? "" : " and ") + std::string(name(role));
  }
  return Error(Errc::denied,
               fmt::format("this key lacks the right to {}, which the role{} {} ha{}", purpose(right),
                           count == 1 ? "" : "s", roles, count == 1 ? "s" : "ve"))
      .hint("use a key of such a role; `holdfast key list` shows the roles of all keys");
}

Result<void> require(const Secrets& secrets, std::initializer_list<Right> needed) {
  for (const Right right : needed) {
    if (!(secrets.rights() & mask({right}))) return lacks(right);
  }
  return {};
}

}  // namespace holdfast::repo
