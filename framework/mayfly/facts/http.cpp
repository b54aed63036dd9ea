#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <exception>
#include <memory>
#include <mutex>

#include "mayfly/exec/files.h"
#include "mayfly/exec/socket.h"
#include "mayfly/facts/network_facts.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

constexpr std::size_t kMostBody = std::size_t{8} * 1024 * 1024;
constexpr int kMostRedirects = 10;
constexpr const char* kCertificates = "/etc/ssl/certs/ca-certificates.crt";

// For libcurl's callbacks, which no exception may leave.
struct Exchange {
  const Target& target;
  HttpFact& fact;
  std::exception_ptr failure{};
};

curl_socket_t make_socket(void* data, curlsocktype /*purpose*/, curl_sockaddr* address) noexcept {
  Exchange& exchange = *static_cast<Exchange*>(data);
  try {
    return open_socket(exchange.target, address->family, address->socktype, address->protocol).release();
  } catch (...) {
    exchange.failure = std::current_exception();
    return CURL_SOCKET_BAD;
  }
}

std::size_t take_body(char* piece, std::size_t size, std::size_t count, void* data) noexcept {
  std::string& body = static_cast<Exchange*>(data)->fact.body;
  if (body.size() + size * count > kMostBody) return 0;  // libcurl ends with CURLE_WRITE_ERROR
  body.append(piece, size * count);
  return size * count;
}

std::size_t take_header(char* piece, std::size_t size, std::size_t count, void* data) noexcept {
  HttpFact& fact = static_cast<Exchange*>(data)->fact;
  std::string_view line(piece, size * count);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  // Each answer, of "100 Continue" too, begins anew.
  if (line.starts_with("HTTP/")) {
    fact.headers.clear();
  } else if (!line.empty()) {
    fact.headers.emplace_back(line);
  }
  return size * count;
}

class UrlParts {
 public:
  explicit UrlParts(const std::string& url) {
    const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), curl_url_cleanup);
    if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
      throw Error(fmt::format("'{}' is not a URL", url));
    }
    scheme_ = part(parsed.get(), CURLUPART_SCHEME, 0);
    host_ = part(parsed.get(), CURLUPART_HOST, 0);
    port_ = part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (scheme_ != "http" && scheme_ != "https") {
      throw Error(fmt::format("'{}': '{}' is neither http nor https", url, scheme_));
    }
  }
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] bool secure() const { return scheme_ == "https"; }

 private:
  static std::string part(CURLU* url, CURLUPart what, unsigned flags) {
    char* text = nullptr;
    if (curl_url_get(url, what, &text, flags) != CURLUE_OK) return {};
    const std::unique_ptr<char, void (*)(void*)> owned(text, curl_free);
    return text;
  }
  std::string scheme_, host_, port_;
};

class List {
 public:
  void add(const std::string& line) {
    curl_slist* longer = curl_slist_append(lines_.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(lines_.release());  // NOLINT(bugprone-unused-return-value): it is what `longer` begins with
    lines_.reset(longer);
  }
  [[nodiscard]] curl_slist* get() const { return lines_.get(); }

 private:
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> lines_{nullptr, curl_slist_free_all};
};

void set_up_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

// @return where the answer leads to; empty when nowhere
std::string ask(const Target& target, const std::string& url, const HttpOptions& options, const Deadline& deadline,
                HttpFact& fact) {
  const UrlParts parts(url);
  Exchange exchange{.target = target, .fact = fact};
  fact.status = 0;
  fact.headers.clear();
  fact.body.clear();
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) throw std::bad_alloc();
  CURL* curl = handle.get();
  std::array<char, CURL_ERROR_SIZE> reason{};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");  // nor the one of the host's environment
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "mayfly");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, deadline.left().count())));
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, make_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);

  // Names are the container's: libcurl would ask the host's resolver.
  List names;
  const DnsFact found = dns(target, parts.host(), {.timeout = std::max(Milliseconds(1), deadline.left())});
  const bool is_address = found.answers == std::vector{parts.host()} || parts.host().starts_with('[');
  if (!is_address) {
    if (!found.resolves()) {
      fact.trouble = fmt::format("'{}' can't be resolved: {}", parts.host(), found.trouble);
      return {};
    }
    std::string entry = fmt::format("{}:{}:", parts.host(), parts.port());
    for (const std::string& address : found.answers) {
      const bool is_v6 = address.find(':') != std::string::npos;
      if (!entry.ends_with(':')) entry += ',';
      entry += is_v6 ? fmt::format("[{}]", address) : address;
    }
    names.add(entry);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, names.get());
  }

  List headers;
  for (const std::string& header : options.headers) headers.add(header);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (!options.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(options.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, options.body.c_str());
  }
  if (options.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (!options.method.empty() && options.method != "HEAD") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, options.method.c_str());
  }
  std::string certificates;
  if (parts.secure() && options.verify_tls) {
    if (file_status(target, kCertificates)) certificates = read_file(target, kCertificates);
    if (certificates.empty()) {
      fact.trouble = fmt::format("the container has no '{}' to verify the server with", kCertificates);
      return {};
    }
    curl_blob blob{.data = certificates.data(), .len = certificates.size(), .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
  }
  if (!options.verify_tls) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }

  const CURLcode code = curl_easy_perform(curl);
  if (exchange.failure) std::rethrow_exception(exchange.failure);
  if (code != CURLE_OK) {
    fact.trouble = reason.front() != '\0' ? reason.data() : curl_easy_strerror(code);
    return {};
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  fact.status = static_cast<int>(status);
  const char* redirect = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &redirect);
  return redirect == nullptr ? "" : redirect;
}

}  // namespace

HttpFact http(const Target& target, const std::string& url, const HttpOptions& options) {
  set_up_curl();
  HttpFact fact{.url = url, .method = options.method};
  const Deadline deadline = Deadline::after(options.timeout);
  std::string next = url;
  // Not left to libcurl: each host's name has to be resolved in the container.
  for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
    next = ask(target, next, options, deadline, fact);
    if (next.empty() || !options.follow_redirects) return fact;
  }
  fact.status = 0;
  fact.trouble = fmt::format("more than {} redirects", kMostRedirects);
  return fact;
}

}  // namespace mayfly
