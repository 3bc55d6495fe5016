#include "net/curl.h"

#include <curl/curl.h>

namespace holdfast::net {

namespace {

// As many bytes are handed to or taken from libcurl at once; its default of 64 and 16 KiB costs a callback
// each.
constexpr long kBufferBytes = 512 * 1024;

struct HandleDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, HandleDeleter>;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

// libcurl sets itself up once for the whole process, before any thread uses it.
CURLcode set_up() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  return done;
}

// One request under way: what the callbacks work on. Nothing may be thrown through libcurl.
struct Exchange {
  const HttpRequest& request;
  std::stop_token stop;
  HttpAnswer answer;
  std::uint64_t sent_bytes = 0;
  std::optional<Error> failure;  // of ours, that ended it
  bool too_long = false;

  static std::size_t read(char* to, std::size_t size, std::size_t count, void* self) noexcept {
    auto& x = *static_cast<Exchange*>(self);
    const std::uint64_t left = x.request.body.size_bytes - x.sent_bytes;
    const std::size_t length = static_cast<std::size_t>(std::min<std::uint64_t>(left, size * count));
    if (length == 0) return 0;
    try {
      const auto done = x.request.body.read(x.sent_bytes, {reinterpret_cast<std::uint8_t*>(to), length});
      if (done.ok()) {
        x.sent_bytes += length;
        return length;
      }
      x.failure = done.error().copy();
    } catch (const std::bad_alloc&) {
    }
    return CURL_READFUNC_ABORT;
  }
  static int seek(void* self, curl_off_t offset, int origin) noexcept {
    auto& x = *static_cast<Exchange*>(self);
    if (origin != SEEK_SET || offset < 0 || std::uint64_t(offset) > x.request.body.size_bytes)
      return CURL_SEEKFUNC_FAIL;
    x.sent_bytes = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }
  static std::size_t write(char* from, std::size_t size, std::size_t count, void* self) noexcept {
    auto& x = *static_cast<Exchange*>(self);
    const std::size_t length = size * count;
    x.too_long = length > x.request.answer_bytes_max - x.answer.body.size();
    if (x.too_long) return 0;
    try {
      append(x.answer.body, {reinterpret_cast<const std::uint8_t*>(from), length});
      return length;
    } catch (const std::bad_alloc&) {
      return 0;
    }
  }
  static std::size_t header(char* from, std::size_t size, std::size_t count, void* self) noexcept {
    auto& x = *static_cast<Exchange*>(self);
    const std::string_view line(from, size * count);
    try {
      if (line.starts_with("HTTP/")) x.answer.headers.clear();  // after a "100 Continue"
      const std::size_t colon = line.find(':');
      if (colon != line.npos) {
        x.answer.headers.emplace_back(lower_case(line.substr(0, colon)),
                                      std::string(trimmed(line.substr(colon + 1))));
      }
      return line.size();
    } catch (const std::bad_alloc&) {
      return 0;
    }
  }
  static int progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
    return static_cast<Exchange*>(self)->stop.stop_requested() ? 1 : 0;
  }
};

class CurlHttp final : public Http {
 public:
  explicit CurlHttp(HttpOptions options) : options_(std::move(options)) {}

  Result<HttpAnswer> send(const HttpRequest& request, std::stop_token stop) override;

 private:
  Result<Handle> take();
  void give_back(Handle handle);
  Result<void> prepare(CURL* handle, Exchange& exchange, const List& headers);
  static Error failed(CURLcode code, std::string_view told, Exchange& exchange);

  const HttpOptions options_;
  std::mutex mutex_;  // guards idle_
  std::vector<Handle> idle_;
};

// A handle keeps its connections, so the one that was used last is the most likely to have one still.
Result<Handle> CurlHttp::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Handle handle = std::move(idle_.back());
      idle_.pop_back();
      return handle;
    }
  }
  Handle handle(set_up() == CURLE_OK ? curl_easy_init() : nullptr);
  if (handle == nullptr) return Error(Errc::failed, "libcurl can't be set up: out of memory?");
  return handle;
}

void CurlHttp::give_back(Handle handle) {
  curl_easy_reset(handle.get());  // keeps connections, sessions and resolved names
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(handle));
}

Result<void> CurlHttp::prepare(CURL* handle, Exchange& exchange, const List& headers) {
  const HttpRequest& request = exchange.request;
  CURLcode bad = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (bad == CURLE_OK) bad = curl_easy_setopt(handle, option, value);
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);  // what was signed is what is sent
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_USERAGENT, options_.user_agent.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_CONNECTTIMEOUT, long{options_.connect_seconds});
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, long{options_.stall_seconds});
  set(CURLOPT_BUFFERSIZE, kBufferBytes);
  set(CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Exchange::progress);
  set(CURLOPT_XFERINFODATA, &exchange);
  set(CURLOPT_WRITEFUNCTION, &Exchange::write);
  set(CURLOPT_WRITEDATA, &exchange);
  set(CURLOPT_HEADERFUNCTION, &Exchange::header);
  set(CURLOPT_HEADERDATA, &exchange);
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Exchange::read);
    set(CURLOPT_READDATA, &exchange);
    set(CURLOPT_SEEKFUNCTION, &Exchange::seek);
    set(CURLOPT_SEEKDATA, &exchange);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size_bytes));
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  if (bad == CURLE_OK) return {};
  return Error(Errc::failed, fmt::format("libcurl refuses a setting: {}", curl_easy_strerror(bad)));
}

Error CurlHttp::failed(CURLcode code, std::string_view told, Exchange& exchange) {
  if (exchange.failure) return *std::move(exchange.failure);
  if (exchange.stop.stop_requested()) return Error(Errc::stopped, "stopped");
  const HttpRequest& request = exchange.request;
  const std::string where = request.url.substr(0, request.url.find('/', request.url.find("://") + 3));
  const std::string what =
      fmt::format("{}: {}", where, told.empty() ? std::string_view(curl_easy_strerror(code)) : told);
  switch (code) {
    case CURLE_WRITE_ERROR:
      if (exchange.too_long) {
        return Error(Errc::damaged, fmt::format("{}: the answer is longer than the {} bytes that it may have",
                                                where, request.answer_bytes_max));
      }
      return Error(Errc::failed, what);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return Error(Errc::denied, what)
          .hint("this server can't be trusted as it is; for a certificate authority of your own: --cacert");
    case CURLE_SSL_CACERT_BADFILE:
      return Error(Errc::usage, what).hint("check --cacert");
    case CURLE_URL_MALFORMAT:
      return Error(Errc::usage, what);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return Error(Errc::failed, what);
    default:
      return Error(Errc::unreachable, what);
  }
}

Result<HttpAnswer> CurlHttp::send(const HttpRequest& request, std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
  Handle handle = TRY(take());
  List headers;
  const auto add = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return false;
    static_cast<void>(headers.release());
    headers.reset(longer);
    return true;
  };
  bool added = add("Expect:");  // a wait of a second for what most servers never say
  for (const auto& [name, value] : request.headers)
    added = added && add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  if (!added) return Error(Errc::failed, "out of memory");
  Exchange exchange{request, std::move(stop), {}, 0, {}, false};
  std::array<char, CURL_ERROR_SIZE> told{};
  TRY(prepare(handle.get(), exchange, headers));
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, told.data());
  const CURLcode code = curl_easy_perform(handle.get());
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  give_back(std::move(handle));
  if (code != CURLE_OK) return failed(code, told.data(), exchange);
  exchange.answer.status = static_cast<int>(status);
  return std::move(exchange.answer);
}

}  // namespace

std::unique_ptr<Http> make_curl_http(HttpOptions options) {
  return std::make_unique<CurlHttp>(std::move(options));
}

}  // namespace holdfast::net
