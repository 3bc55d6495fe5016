// The actions of `holdfast key` that have files of their own.
#pragma once

#include "cli/wire.h"

namespace holdfast::cli {

// `id` is empty for a key that a dry run did not make.
void tell_key(Context& context, const char* type, bool dry_run, const std::string& text,
              const std::string& id);
Result<Password> new_password(const Context& context, const KeyOptions& options);
std::string key_label(const Context& context, const KeyOptions& options);

// The id of a key: its object's name without "keys/".
std::string key_id(const std::string& name);

Result<int> print_kit(Context& context, const KeyOptions& options);
Result<int> rotate(Context& context, const KeyOptions& options);
Result<int> recover(Context& context, const KeyOptions& options);
Result<int> manage_domains(Context& context, const KeyOptions& options);

}  // namespace holdfast::cli
