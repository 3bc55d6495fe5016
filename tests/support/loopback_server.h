// A server on loopback for a client's tests: what it does with each connection is the test's.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace holdfast::testing {

class LoopbackServer {
 public:
  // Called with each connection, which is closed when it returns; `number` counts them from 1.
  using Serve = std::function<void(int connection, int number)>;
  explicit LoopbackServer(Serve serve);
  ~LoopbackServer();

  std::string origin() const;  // "http://127.0.0.1:PORT"
  int connections() const { return connections_; }

 private:
  void accept_all();

  const Serve serve_;
  Fd listener_;
  std::atomic<int> connections_ = 0;
  std::vector<std::thread> threads_;  // made by the acceptor, joined after it
  std::thread acceptor_;
};

// A request's head and body, as they came; "" where the connection ended.
std::string read_request(int connection);
void write_text(int connection, const std::string& text);

}  // namespace holdfast::testing
