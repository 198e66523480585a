#pragma once

#include <QtCore/QEvent>
#include <QtCore/QSocketNotifier>
#include <QtCore/QTimer>
#include <proa/embed/poll.hpp>

namespace proa {
inline namespace v0 {
namespace embed {

/// Lets a proactor live inside the event loop of Qt 5 or 6, in the thread that makes the adapter.
///
///     proa::embed::QtAdapter adapter(proactor);
///     return application.exec();
///
/// What all adapters have in common is in embed/poll.hpp. Qt counts in milliseconds: a timer of the
/// proactor may be one later than in a loop of its own. QCoreApplication::quit() ends exec(), as
/// ever.
class QtAdapter {
 public:
  explicit QtAdapter(Proactor& proactor)
      : loop_(proactor), readable_(loop_.entry().fd, *this), due_(*this) {
    wait();
  }
  QtAdapter(const QtAdapter&) = delete;
  QtAdapter& operator=(const QtAdapter&) = delete;

 private:
  // They override event() where others connect to signals, so that the header needs no moc, and is
  // the same for Qt 5, which has two signals of the name activated(), and for Qt 6.
  class Readable : public QSocketNotifier {
   public:
    Readable(int descriptor, QtAdapter& adapter)
        : QSocketNotifier(descriptor, QSocketNotifier::Read), adapter_(adapter) {}

   private:
    bool event(QEvent* event) override {
      if (event->type() != QEvent::SockAct) return QSocketNotifier::event(event);
      adapter_.turn();
      return true;
    }
    QtAdapter& adapter_;
  };
  class Due : public QTimer {
   public:
    explicit Due(QtAdapter& adapter) : adapter_(adapter) {
      setTimerType(Qt::PreciseTimer);
      setSingleShot(true);
    }

   private:
    void timerEvent(QTimerEvent*) override {
      stop();
      adapter_.turn();
    }
    QtAdapter& adapter_;
  };

  // A loop that a callback runs would be told of the descriptor again and again.
  void turn() {
    if (loop_.turning()) {
      readable_.setEnabled(false);
      return;
    }
    loop_.turn(true);
    if (!readable_.isEnabled()) readable_.setEnabled(true);
    wait();
  }
  // What is begun after this, and is due earlier, makes the descriptor readable.
  void wait() {
    const int timeout = loop_.timeout();
    if (timeout < 0) {
      due_.stop();
    } else {
      due_.start(timeout);
    }
  }

  PollAdapter loop_;
  Readable readable_;
  Due due_;
};

}  // namespace embed
}  // namespace v0
}  // namespace proa
