#include "tests/support/loopback_server.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>

#include "base/check.h"

namespace holdfast::testing {

LoopbackServer::LoopbackServer(Serve serve)
    : serve_(std::move(serve)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  HF_ASSERT(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  HF_ASSERT(::listen(listener_.get(), 16) == 0);
  acceptor_ = std::thread([this] { accept_all(); });
}

LoopbackServer::~LoopbackServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
}

void LoopbackServer::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int number = ++connections_;
    threads_.emplace_back([this, fd, number] {
      const Fd connection(fd);
      serve_(connection.get(), number);
    });
  }
}

std::string LoopbackServer::origin() const {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  HF_ASSERT(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  return fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
}

std::string read_request(int connection) {
  std::string text;
  std::size_t wanted = std::string::npos;
  while (text.size() < wanted) {
    std::array<char, 65536> piece{};
    const ssize_t got = ::recv(connection, piece.data(), piece.size(), 0);
    if (got <= 0) return "";
    text.append(piece.data(), static_cast<std::size_t>(got));
    const std::size_t end = text.find("\r\n\r\n");
    if (end == text.npos || wanted != text.npos) continue;
    const std::size_t at = text.find("Content-Length: ");
    const std::size_t body = at < end ? std::strtoull(text.c_str() + at + 16, nullptr, 10) : 0;
    wanted = end + 4 + body;
  }
  return text;
}

void write_text(int connection, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t done = ::send(connection, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (done <= 0) return;
    at += static_cast<std::size_t>(done);
  }
}

}  // namespace holdfast::testing
