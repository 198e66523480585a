// The public face of the core and the handlers' loop: it makes them, and forwards calls to them.
#include <new>
#include <proa/proactor.hpp>

#include "base/misuse.hpp"
#include "base/refuse.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

std::unique_ptr<HandlerLoop> create_or_refuse(const Options& options) {
  std::error_code error;
  std::string detail;
  auto core = HandlerLoop::create(options, error, &detail);
  if (!core) refuse(error, detail);
  return core;
}

}  // namespace

Proactor::Proactor(const Options& options) : Proactor(create_or_refuse(options)) {}
Proactor::Proactor(std::unique_ptr<HandlerLoop> core) noexcept : core_(std::move(core)) {
  core_->set_owner(*this);
}
// The handlers that end in here reach the core by this proactor. ~unique_ptr() of libc++ forgets
// the core before it deletes the core, so this does not leave it to that.
Proactor::~Proactor() {
  delete core_.get();
  static_cast<void>(core_.release());
}

std::unique_ptr<Proactor> Proactor::create(const Options& options, std::error_code& error,
                                           std::string* detail) {
  auto core = HandlerLoop::create(options, error, detail);
  if (!core) return nullptr;
  std::unique_ptr<Proactor> made(new (std::nothrow) Proactor(std::move(core)));
  if (!made) error = std::make_error_code(std::errc::not_enough_memory);
  return made;
}

std::error_code Proactor::submit(Operation& operation, TimePoint deadline) noexcept {
  return core_->submit(operation, deadline);
}
void Proactor::cancel(Operation& operation) noexcept { core_->cancel(operation); }
std::size_t Proactor::run() { return core_->run(); }
std::size_t Proactor::run_once(Duration timeout) { return core_->run_once(timeout); }
std::size_t Proactor::poll() { return core_->poll(); }
void Proactor::stop() noexcept { core_->stop(); }
std::size_t Proactor::shutdown(Duration limit) { return core_->shutdown(limit); }
bool Proactor::post(Post& post) noexcept { return core_->post(post); }

Buffer Proactor::take_buffer() noexcept {
  core_->check("take_buffer");
  return core_->pool().take_for_writing();
}
Buffer Proactor::take_direct_buffer() noexcept {
  core_->check("take_direct_buffer");
  return core_->paged_pool().take_for_writing();
}
int Proactor::native_handle() const noexcept {
  core_->check("native_handle");
  if (!core_->options().embedded) {
    misuse("Proactor %p: native_handle() without Options::embedded",
           static_cast<const void*>(this));
  }
  return core_->backend().native_handle();
}
TimePoint Proactor::next_deadline() const noexcept {
  core_->check("next_deadline");
  return core_->next_deadline();
}
void Proactor::check_thread(const char* verb) const noexcept { core_->check(verb); }
bool Proactor::shutting_down() const noexcept { return core_->shutting_down(); }
TimePoint Proactor::now() const noexcept {
  return core_->in_callback() ? core_->now() : core_->system().now();
}
System& Proactor::system() noexcept { return core_->system(); }
const Options& Proactor::options() const noexcept { return core_->options(); }
const BackendReport& Proactor::backend() const noexcept { return core_->report(); }
const Counters& Proactor::counters() const noexcept { return core_->counters(); }

KeepAlive::KeepAlive(Proactor& proactor) noexcept : proactor_(proactor) {
  proactor_.core().check("KeepAlive");
  proactor_.core().keep_alive(1);
}
KeepAlive::~KeepAlive() {
  if (!proactor_.core().inherited()) proactor_.core().check("~KeepAlive");
  proactor_.core().keep_alive(-1);
}

}  // namespace proa
