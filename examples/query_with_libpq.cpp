// libpq inside run(): a PollHandler watches the connection to PostgreSQL, which is made, asked and
// read without waiting. Arguments: a connection string, then queries, which are asked one after the
// other. Prints their rows.
#include <libpq-fe.h>

#include <cstdio>
#include <deque>
#include <proa/poll_handler.hpp>
#include <string>

/// A connection of libpq that goes on while the proactor runs.
class Database : public proa::PollHandler {
 public:
  explicit Database(proa::Proactor& proactor) : PollHandler(proactor) {}
  ~Database() override { PQfinish(connection_); }

  void connect(const char* where) {
    connection_ = PQconnectStart(where);
    follow(PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING);
  }
  /// Asks when the connection is made, and behind the queries before.
  void query(std::string text) {
    queries_.push_back(std::move(text));
    if (state_ == State::idle) ask();
  }

 protected:
  /// One for each query; `result` is destroyed when this returns.
  virtual void on_result(const PGresult* result) = 0;
  /// The connection could not be made, or is lost; the handler is closing.
  virtual void on_failed(const char* why) = 0;
  /// All queries were answered.
  virtual void on_answered() = 0;

 private:
  enum class State { connecting, idle, asking, ended };

  void on_ready(const proa::Poll&) override {
    if (state_ == State::connecting) return follow(PQconnectPoll(connection_));
    if (PQconsumeInput(connection_) == 0 || !flush()) return fail();
    while (state_ == State::asking && PQisBusy(connection_) == 0) {
      if (PGresult* const result = PQgetResult(connection_)) {
        on_result(result);
        PQclear(result);
      } else {
        queries_.pop_front();
        state_ = State::idle;
        queries_.empty() ? on_answered() : ask();
      }
    }
  }
  void on_closed() override {
    if (state_ == State::connecting) go_on();
  }
  void on_error(std::error_code error) override {
    on_failed(error.message().c_str());
    close();
  }

  void follow(PostgresPollingStatusType step) {
    if (step == PGRES_POLLING_FAILED) return fail();
    step_ = step;
    // Each address and each kind of encryption that libpq tries has a socket of its own, which may
    // have the number of the one before: so the handler opens anew for each step.
    is_open() ? close() : go_on();
  }
  void go_on() {
    watch();
    if (step_ != PGRES_POLLING_OK) return;
    state_ = State::idle;
    PQsetnonblocking(connection_, 1);
    if (!queries_.empty()) ask();
  }
  void watch() {
    if (const std::error_code error = open(PQsocket(connection_))) {
      return on_failed(error.message().c_str());
    }
    watch_input(step_ != PGRES_POLLING_WRITING);
    watch_output(step_ == PGRES_POLLING_WRITING);
  }

  void ask() {
    state_ = State::asking;
    if (PQsendQuery(connection_, queries_.front().c_str()) == 0 || !flush()) fail();
  }
  bool flush() {
    const int left = PQflush(connection_);
    watch_output(left > 0);
    return left >= 0;
  }
  void fail() {
    state_ = State::ended;
    on_failed(PQerrorMessage(connection_));
    close();
  }

  PGconn* connection_ = nullptr;
  std::deque<std::string> queries_;
  State state_ = State::connecting;
  PostgresPollingStatusType step_ = PGRES_POLLING_WRITING;
};

struct Printer : Database {
  using Database::Database;
  void on_result(const PGresult* result) override {
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
      std::printf("%s", PQresultErrorMessage(result));
      failed = true;
    }
    for (int row = 0; row < PQntuples(result); ++row) {
      for (int column = 0; column < PQnfields(result); ++column) {
        std::printf("%s%s", column == 0 ? "" : "\t", PQgetvalue(result, row, column));
      }
      std::printf("\n");
    }
  }
  void on_failed(const char* why) override {
    std::fprintf(stderr, "%s", why);
    failed = true;
  }
  void on_answered() override { close(); }
  bool failed = false;
};

int main(int argc, char** argv) {
  proa::Proactor proactor;
  Printer printer(proactor);
  printer.connect(argc > 1 ? argv[1] : "");
  for (int i = 2; i < argc; ++i) printer.query(argv[i]);
  proactor.run();
  return printer.failed ? 1 : 0;
}
