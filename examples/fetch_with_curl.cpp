// libcurl's multi interface inside run(): curl's sockets are watched by PollHandlers, and its
// timeout is a timer of the proactor. Fetches URLs at the same time, and prints their sizes.
#include <curl/curl.h>

#include <cstdio>
#include <proa/poll_handler.hpp>
#include <proa/timer_handler.hpp>

/// A CURLM whose transfers go on while the proactor runs.
class CurlTransfers : public proa::TimerHandler {
 public:
  explicit CurlTransfers(proa::Proactor& proactor) : TimerHandler(proactor) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  }
  ~CurlTransfers() override {
    curl_multi_cleanup(multi_);  // closes connections, and the handlers of their sockets
    stop();
  }

  void add(CURL* transfer) { curl_multi_add_handle(multi_, transfer); }

 protected:
  /// The transfer has ended, and is no longer in the CURLM.
  virtual void on_done(CURL* transfer, CURLcode result) = 0;

 private:
  struct Watcher : proa::PollHandler {
    Watcher(CurlTransfers& transfers, curl_socket_t socket)
        : PollHandler(transfers.proactor()), transfers_(transfers), socket_(socket) {}
    void on_ready(const proa::Poll& ready) override {
      const bool in = ready.direction() == proa::Direction::in;
      transfers_.act(socket_, in ? CURL_CSELECT_IN : CURL_CSELECT_OUT);
    }
    void on_closed() override { delete this; }

   private:
    CurlTransfers& transfers_;
    const curl_socket_t socket_;
  };

  static int watch(CURL*, curl_socket_t socket, int what, void* self, void* known) {
    auto& transfers = *static_cast<CurlTransfers*>(self);
    auto* watcher = static_cast<Watcher*>(known);
    if (what == CURL_POLL_REMOVE) {  // curl may close the socket as soon as this returns
      if (watcher) watcher->close();
      return 0;
    }
    if (!watcher) {
      watcher = new Watcher(transfers, socket);
      if (watcher->open(socket)) {  // out of descriptors
        delete watcher;
        return -1;
      }
      curl_multi_assign(transfers.multi_, socket, watcher);
    }
    watcher->watch_input((what & CURL_POLL_IN) != 0);
    watcher->watch_output((what & CURL_POLL_OUT) != 0);
    return 0;
  }

  static int set_timer(CURLM*, long milliseconds, void* self) {
    auto& transfers = *static_cast<CurlTransfers*>(self);
    if (milliseconds < 0) {
      transfers.stop();
    } else {
      transfers.start(std::chrono::milliseconds(milliseconds));
    }
    return 0;
  }

  void on_timer(std::uint64_t) override { act(CURL_SOCKET_TIMEOUT, 0); }

  void act(curl_socket_t socket, int ready) {
    int running = 0;
    curl_multi_socket_action(multi_, socket, ready, &running);
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const transfer = message->easy_handle;
      const CURLcode result = message->data.result;
      curl_multi_remove_handle(multi_, transfer);
      on_done(transfer, result);
    }
  }

  CURLM* const multi_ = curl_multi_init();
};

struct Fetcher : CurlTransfers {
  using CurlTransfers::CurlTransfers;
  void fetch(const char* url) {
    CURL* const transfer = curl_easy_init();
    curl_easy_setopt(transfer, CURLOPT_URL, url);
    curl_easy_setopt(transfer, CURLOPT_TIMEOUT_MS, 10'000L);
    curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, drop);
    add(transfer);
  }
  static std::size_t drop(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
  }
  void on_done(CURL* transfer, CURLcode result) override {
    const char* url = "";
    curl_off_t bytes = 0;
    curl_easy_getinfo(transfer, CURLINFO_EFFECTIVE_URL, &url);
    curl_easy_getinfo(transfer, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    std::printf("%s: %s, %lld bytes\n", url, curl_easy_strerror(result),
                static_cast<long long>(bytes));
    failed += result == CURLE_OK ? 0 : 1;
    curl_easy_cleanup(transfer);
  }
  int failed = 0;
};

int main(int argc, char** argv) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  int failed = 0;
  {
    proa::Proactor proactor;
    Fetcher fetcher(proactor);
    for (int i = 1; i < argc; ++i) fetcher.fetch(argv[i]);
    // curl keeps connections for later, and watches them: they do not keep the program.
    proactor.run();
    failed = fetcher.failed;
  }
  curl_global_cleanup();
  return failed == 0 ? 0 : 1;
}
