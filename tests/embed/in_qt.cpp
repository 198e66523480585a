#include <QtCore/QCoreApplication>
#include <QtCore/QEventLoop>
#include <optional>
#include <proa/embed/qt.hpp>

#include "foreign_loop.hpp"

namespace {

class InQt final : public proa_test::ForeignLoop {
 public:
  void attach(proa::Proactor& proactor) override { adapter_.emplace(proactor); }
  void detach() override { adapter_.reset(); }
  void after(int milliseconds, std::function<void()> work) override {
    QTimer::singleShot(milliseconds, Qt::PreciseTimer, &application_, std::move(work));
  }
  void run() override { QCoreApplication::exec(); }
  void quit() override { QCoreApplication::quit(); }
  bool nest(int milliseconds) override {
    QEventLoop inner;
    QTimer::singleShot(milliseconds, &inner, [&] { inner.quit(); });
    inner.exec();
    return true;
  }

 private:
  int argc_ = 1;
  char name_[8] = "in_qt";
  char* argv_[2] = {name_, nullptr};
  QCoreApplication application_{argc_, argv_};
  std::optional<proa::embed::QtAdapter> adapter_;
};

}  // namespace

std::unique_ptr<proa_test::ForeignLoop> proa_test::ForeignLoop::make() {
  return std::make_unique<InQt>();
}
