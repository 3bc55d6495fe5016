// Trees of which parts can't be read: what lies behind such a part can, so readers of trees go on there, and
// say where names are lost.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "repo/tree_reader.h"

namespace holdfast::flow {

// Told of each part of a tree that is lost.
using OnTorn = std::function<void(std::string_view where, const Error& error)>;

// Whether only a part of a tree is lost by this error; any other ends the walk.
inline bool only_a_part(const Error& error) {
  return error.kind() == Errc::damaged || error.kind() == Errc::wrong_key;
}

// The next entry that can be read, null at the end. What is lost between, however many parts, is told once,
// with `after`, the last path before it.
inline Result<const model::Entry*> next_readable(repo::TreeReader& tree, std::string_view after,
                                                 const OnTorn& on_torn, const std::stop_token& stop) {
  for (bool told = false;;) {
    auto next = tree.next(stop);
    if (next.ok() || !only_a_part(next.error())) return next;
    if (!std::exchange(told, true)) on_torn(after, next.error());
  }
}

}  // namespace holdfast::flow
