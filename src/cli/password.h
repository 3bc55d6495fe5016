// Where passwords come from: a file, a command, an environment variable, the terminal: the first that is
// given. A final line end is not part of the password.
#pragma once

#include <stop_token>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/environment.h"

namespace holdfast::cli {

// Text that is wiped when it goes.
class Password {
 public:
  Password() = default;
  explicit Password(std::string text) : text_(std::move(text)) {}
  Password(Password&&) noexcept = default;
  Password& operator=(Password&&) noexcept = default;
  ~Password();
  Bytes bytes() const { return as_bytes(text_); }

 private:
  std::string text_;
};

struct PasswordSources {
  std::string file;
  std::string command;
  std::string variable_prefix;  // "HOLDFAST_": then _PASSWORD_FILE and so on are looked at; empty: none
  std::string prompt;           // "password for /repo"
  bool twice = false;           // asked for twice at the terminal: a new one
};

// All of a small file that holds a secret; `what` names it in errors.
Result<Password> read_secret_file(const std::string& path, const std::string& what);

// Makes a file that must not be there yet, durable when this returns.
Result<void> write_new_file(const std::string& path, std::string_view text, unsigned mode);

// Errc::usage where there is none and no terminal to ask at, or where it is empty.
Result<Password> read_password(const PasswordSources& sources, const Environment& environment,
                               std::stop_token stop);

}  // namespace holdfast::cli
