// Which datagrams a client has on their way, by number. Place i of a window of n holds the numbers
// i, i + n, i + 2n, ... one after the other, so that an answer's number alone says where it
// belongs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace bench {

class DatagramWindow {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  enum class Answer {
    expected,
    late,     ///< answered before; it had been given up and sent again in between
    unknown,  ///< never sent, or answered more often than sent
  };

  /// `depth` are on their way at most; numbers go from 0 to `messages` - 1, 0: without end.
  explicit DatagramWindow(std::size_t depth, std::uint64_t messages = 0)
      : places_(depth),
        messages_(messages > 0 ? messages : std::numeric_limits<std::uint64_t>::max()) {
    for (std::size_t index = depth; index-- > 0;) {
      places_[index].number = index;
      if (index < messages_) free_.push_back(index);
    }
  }

  std::size_t in_flight() const { return in_flight_; }
  std::size_t free() const { return free_.size(); }  ///< how many may be sent now
  std::uint64_t resent() const { return resent_; }
  std::uint64_t late() const { return late_; }
  /// What was sent again for good reason.
  std::uint64_t lost() const { return resent_ - late_; }

  /// The number of the one to send now, which is on its way from here on. Only if free() > 0.
  std::uint64_t send(Time now) {
    Place& place = places_[free_.back()];
    free_.pop_back();
    place.waiting = true;
    place.first_sent = place.last_sent = now;
    place.resent = 0;
    ++in_flight_;
    return place.number;
  }

  /// An answer of that number came. If it was expected, its place is free, and `*since` is when it
  /// was sent first.
  Answer answered(std::uint64_t number, Time* since) {
    const std::size_t index = number % places_.size();
    Place& place = places_[index];
    if (number == place.number && place.waiting) {
      *since = place.first_sent;
      place.waiting = false;
      place.number += places_.size();
      --in_flight_;
      if (place.number < messages_) free_.push_back(index);
      return Answer::expected;
    }
    if (number >= place.number || late_ == resent_) return Answer::unknown;
    ++late_;
    return Answer::late;
  }

  /// Calls send_again(number) for each that has had no answer for `patience`, which doubles each
  /// time: a server that is held up for long must not find its socket's buffer overrun.
  template <class Function>
  void overdue(Time now, Clock::duration patience, Function&& send_again) {
    if (in_flight_ == 0) return;
    for (Place& place : places_) {
      if (!place.waiting || now - place.last_sent < patience * (1 << place.resent)) continue;
      place.last_sent = now;
      if (place.resent < 6) ++place.resent;
      ++resent_;
      send_again(place.number);
    }
  }

 private:
  struct Place {
    std::uint64_t number = 0;
    bool waiting = false;  // for an answer
    int resent = 0;
    Time first_sent;
    Time last_sent;
  };

  std::vector<Place> places_;
  std::vector<std::size_t> free_;
  std::uint64_t messages_;
  std::size_t in_flight_ = 0;
  std::uint64_t resent_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace bench
