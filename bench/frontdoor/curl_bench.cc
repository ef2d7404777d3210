// What a request costs that libcurl makes and nobody does anything with: a multi handle on epoll, its easy handles used
// again and again, connections kept. The floor below which no proxy on libcurl comes; docs/performance.md.
#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using std::chrono::steady_clock;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Bench {
 public:
  Bench(std::string url, std::string body) : url_(std::move(url)), body_(std::move(body)) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Bench::OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Bench::OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 512L);
    headers_ = curl_slist_append(headers_, "Content-Type: application/json");
    headers_ = curl_slist_append(headers_, "Expect:");
  }
  ~Bench() {
    for (CURL* easy : easies_) {
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
    }
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
    close(epoll_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void Begin(int connections) {
    for (int i = 0; i < connections; ++i) {
      CURL* const easy = curl_easy_init();
      curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
      curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
      curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body_.data());
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Bench::OnBody);
      easies_.push_back(easy);
      curl_multi_add_handle(multi_, easy);
    }
  }

  void Run(steady_clock::duration time) {
    const auto end = steady_clock::now() + time;
    epoll_event events[256];
    while (steady_clock::now() < end) {
      const int wait = timeout_ms_ < 0 || timeout_ms_ > 100 ? 100 : static_cast<int>(timeout_ms_);
      const int ready = epoll_wait(epoll_, events, 256, wait);
      int running = 0;
      for (int i = 0; i < ready; ++i) {
        const uint32_t what = events[i].events;
        const int flags = ((what & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                          ((what & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                          ((what & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi_, events[i].data.fd, flags, &running);
      }
      if (ready == 0 || timeout_ms_ == 0) curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      Again();
    }
  }

  uint64_t requests() const { return requests_; }
  uint64_t errors() const { return errors_; }

 private:
  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
    auto* const bench = static_cast<Bench*>(self);
    epoll_event event{};
    event.data.fd = socket;
    event.events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(bench->epoll_, EPOLL_CTL_DEL, socket, &event);
    } else {
      epoll_ctl(bench->epoll_, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
      curl_multi_assign(bench->multi_, socket, self);
    }
    return 0;
  }
  static int OnTimer(CURLM*, long timeout_ms, void* self) {
    static_cast<Bench*>(self)->timeout_ms_ = timeout_ms;
    return 0;
  }
  static size_t OnBody(char*, size_t size, size_t count, void*) { return size * count; }

  // What is done begins anew.
  void Again() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      ++requests_;
      if (message->data.result != CURLE_OK) ++errors_;
      CURL* const easy = message->easy_handle;
      curl_multi_remove_handle(multi_, easy);
      curl_multi_add_handle(multi_, easy);
    }
  }

  const std::string url_;
  const std::string body_;
  CURLM* multi_ = curl_multi_init();
  curl_slist* headers_ = nullptr;
  std::vector<CURL*> easies_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  long timeout_ms_ = -1;
  uint64_t requests_ = 0;
  uint64_t errors_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Requests by libcurl alone.");
  std::string url, body_file;
  int connections = 64;
  int seconds = 5;
  app.add_option("--url", url)->required();
  app.add_option("--body", body_file, "a file")->required()->check(CLI::ExistingFile);
  app.add_option("--connections", connections);
  app.add_option("--seconds", seconds);
  CLI11_PARSE(app, argc, argv);
  std::ifstream file(body_file, std::ios::binary);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  {
    Bench bench(url, {std::istreambuf_iterator<char>(file), {}});
    bench.Begin(connections);
    bench.Run(std::chrono::milliseconds(500));
    const uint64_t before = bench.requests();
    const double cpu_before = CpuSeconds();
    const auto begun = steady_clock::now();
    bench.Run(std::chrono::seconds(seconds));
    const auto requests = static_cast<double>(bench.requests() - before);
    const double took = std::chrono::duration<double>(steady_clock::now() - begun).count();
    fmt::print("requests={} rate={:.0f} cpu_us={:.1f} errors={}\n", requests, requests / took,
               (CpuSeconds() - cpu_before) / requests * 1e6, bench.errors());
  }
  curl_global_cleanup();
  return 0;
}
