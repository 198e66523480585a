#pragma once

// The tables of docs/STATES.md, letter for letter (check_contract.py compares them). The tests read
// from them what each verb must lead to in each state.

namespace proa_test {

inline constexpr char timer_states[] = R"(
| TimerHandler | idle | armed | closing | shut down |
|---|---|---|---|---|
| `start()`, `start_at()` | `on_timer()` | `on_timer()` | nothing | nothing |
| `start_every()` | `on_timer()` | `on_timer()` | nothing | nothing |
| `start_every(0)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | nothing | nothing |
| `stop()` | nothing | nothing | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | nothing | nothing |
)";

inline constexpr char reconnector_states[] = R"(
| Reconnector | idle | waiting | closing | shut down |
|---|---|---|---|---|
| `failed()` | `on_attempt()` | nothing | nothing | nothing |
| `succeeded()` | nothing | nothing | nothing | nothing |
| `stop()` | nothing | nothing | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | nothing | nothing |
)";

inline constexpr char notifier_states[] = R"(
| Notifier | idle | open | closing | shut down |
|---|---|---|---|---|
| `start()` | nothing | nothing | nothing | nothing |
| `notify()` | nothing | `on_notify()` | nothing | nothing |
| `notify()` before `start()` | `on_notify()` | `on_notify()` | nothing | nothing |
| `stop()` | nothing | nothing | nothing | nothing |
| `notify()` before `stop()` | nothing | nothing | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | nothing | nothing |
)";

inline constexpr char signal_states[] = R"(
| SignalHandler | idle | started | closing | shut down |
|---|---|---|---|---|
| `start()` | `on_signal()` | `on_signal()` | returns `closing` | returns `closing` |
| `start()` of what is no signal | returns `invalid_argument` | returns `invalid_argument` | returns `closing` | returns `closing` |
| `stop()` | nothing | nothing | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | nothing | nothing |
)";

inline constexpr char poll_states[] = R"(
| PollHandler | idle | open | watching | closing | shut down |
|---|---|---|---|---|---|
| `open()` | nothing | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `closing` | returns `closing` |
| `open()` of what is not open | returns `bad_file_descriptor` | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `closing` | returns `closing` |
| `watch_input(true)` | nothing | `on_ready()` | `on_ready()` | nothing | nothing |
| `watch_output(true)` | nothing | `on_ready()` | `on_ready()` | nothing | nothing |
| `watch_input(false)`, `watch_output(false)` | nothing | nothing | nothing | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | nothing |
)";

inline constexpr char accept_states[] = R"(
| AcceptHandler | idle | listening | paused | finishing | failed | closing | shut down |
|---|---|---|---|---|---|---|---|
| `listen()` | `on_accept()` | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `closing` | returns `closing` |
| `pause()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `resume()` | nothing | nothing | `on_accept()` | nothing | nothing | nothing | nothing |
| `finish()` | `on_closed()` | `on_accept()`, `on_closed()` | `on_accept()`, `on_closed()` | nothing | `on_closed()` | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | `on_closed()` | nothing | nothing |
)";

inline constexpr char datagram_states[] = R"(
| DatagramHandler | idle | bound | connected | receiving stopped | finishing | closing | shut down |
|---|---|---|---|---|---|---|---|
| `bind()` | `on_receive()` | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `device_or_resource_busy` | returns `closing` | returns `closing` |
| `connect()` | `on_receive()` | `on_receive()` | returns `device_or_resource_busy` | nothing | returns `device_or_resource_busy` | returns `closing` | returns `closing` |
| `connect()` without an address | returns `bad_address` | returns `bad_address` | returns `device_or_resource_busy` | returns `bad_address` | returns `device_or_resource_busy` | returns `closing` | returns `closing` |
| `stop_receiving()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `start_receiving()` | nothing | `on_receive()` | `on_receive()` | `on_receive()` | nothing | nothing | nothing |
| `send()`, `send_segments()` | counted in `errors()` | `on_sent()` | `on_sent()` | `on_sent()` | `on_sent(closing)` | counted in `errors()` | counted in `errors()` |
| `join()`, `leave()`, `set_multicast()` | returns `bad_file_descriptor` | nothing | nothing | nothing | nothing | returns `closing` | returns `bad_file_descriptor` |
| `set_limit()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `drain()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | nothing | nothing |
| `finish()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | nothing | nothing |
)";

inline constexpr char server_states[] = R"(
| Server | new | serving | at the limit | draining | drained | shut down |
|---|---|---|---|---|---|---|
| `listen()` | a handler | a handler | nothing | returns `closing` | returns `closing` | returns `closing` |
| `set_limit()` raised | nothing | nothing | a handler | nothing | nothing | nothing |
| `set_error_callback()` | nothing | nothing | nothing | nothing | nothing | nothing |
| `drain()` | `drained` | a handler, `on_drain()`, `drained` | `on_drain()`, a handler, `on_drain()`, `drained` | `drained` | `drained` | nothing |
)";

inline constexpr char file_states[] = R"(
| FileHandler | idle | opening | open | finishing | a write failed | cut | open failed | closing | shut down |
|---|---|---|---|---|---|---|---|---|---|
| `open()` | `on_open()` | `on_error(device_or_resource_busy)` | `on_error(device_or_resource_busy)` | `on_error(device_or_resource_busy)` | `on_error(device_or_resource_busy)` | `on_error(device_or_resource_busy)` | `on_open()` | `on_open()` | nothing |
| `start_reading()` | nothing | `on_read()`, `on_end()` | `on_read()`, `on_end()` | nothing | `on_read()`, `on_end()` | `on_read()`, `on_end()` | nothing | nothing | nothing |
| `start_reading()` before `open()` | `on_open()`, `on_read()`, `on_end()` | see above | see above | see above | see above | see above | `on_open()`, `on_read()`, `on_end()` | `on_open()` | nothing |
| `stop_reading()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `write()` | `on_error(bad_file_descriptor)` | `on_write()` | `on_write()` | `on_error(closing)` | nothing | nothing | `on_error(bad_file_descriptor)` | nothing | nothing |
| `write()` of no buffer | `on_error(no_buffer_space)` | `on_error(no_buffer_space)` | `on_error(no_buffer_space)` | `on_error(closing)` | nothing | nothing | `on_error(no_buffer_space)` | nothing | nothing |
| `sync()` | `on_error(bad_file_descriptor)` | `on_synced()` | `on_synced()` | `on_error(closing)` | nothing | nothing | `on_error(bad_file_descriptor)` | nothing | nothing |
| `set_write_position()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `set_write_position()` before `write()` | `on_error(bad_file_descriptor)` | `on_write()` | `on_write()` | `on_error(closing)` | `on_error(bad_file_descriptor)` | `on_write()` | `on_error(bad_file_descriptor)` | nothing | nothing |
| `set_watermarks()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `set_watermarks()` raised above a `write()` | `on_error(bad_file_descriptor)` | `on_drained()` | `on_drained()` | `on_error(closing)` | nothing | nothing | `on_error(bad_file_descriptor)` | nothing | nothing |
| `set_watermarks()` with `low` above `high` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | nothing | nothing |
| `finish()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | `on_closed()` | `on_closed()` | `on_closed()` | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | `on_closed()` | `on_closed()` | `on_closed()` | nothing | nothing |
)";

inline constexpr char stream_states[] = R"(
| StreamHandler | idle | connecting | open | cut | half closed | the peer has ended | finishing | broken | connect failed | closing | shut down |
|---|---|---|---|---|---|---|---|---|---|---|---|
| `connect()` | `on_open()` | `on_error(connection_already_in_progress)` | `on_error(already_connected)` | `on_error(already_connected)` | `on_error(already_connected)` | `on_error(already_connected)` | `on_error(already_connected)` | `on_error(already_connected)` | `on_open()` | `on_open()` | nothing |
| `start_reading()` | nothing | `on_read()` | `on_read()` | `on_read()` | `on_read()` | nothing | nothing | nothing | nothing | nothing | nothing |
| `start_reading()` before `connect()` | `on_open()`, `on_read()` | see above | see above | see above | see above | see above | see above | see above | `on_open()`, `on_read()` | `on_open()` | nothing |
| `stop_reading()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `write()` | `on_error(not_connected)` | `on_write()` | `on_write()` | nothing | `on_error(closing)` | `on_write()` | `on_error(closing)` | nothing | `on_error(not_connected)` | nothing | nothing |
| `write()` before `connect()` | `on_open()`, `on_write()` | see above | see above | see above | see above | see above | see above | see above | `on_open()`, `on_write()` | `on_open()` | nothing |
| `write()` of no buffer | `on_error(not_connected)`, `on_error(no_buffer_space)` | `on_error(no_buffer_space)` | `on_error(no_buffer_space)` | nothing | `on_error(closing)` | `on_error(no_buffer_space)` | `on_error(closing)` | nothing | `on_error(not_connected)`, `on_error(no_buffer_space)` | nothing | nothing |
| `send_file()` | `on_error(not_connected)` | `on_write()` | `on_write()` | nothing | `on_error(closing)` | `on_write()` | `on_error(closing)` | nothing | `on_error(not_connected)` | nothing | nothing |
| `receive_file()` | `on_error(not_connected)` | `on_received()` | `on_received()` | `on_received()` | `on_received()` | `on_error(end_of_file)` | nothing | nothing | `on_error(not_connected)` | nothing | nothing |
| `half_close()` | `on_error(not_connected)` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | `on_error(not_connected)` | nothing | nothing |
| `finish()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | `on_closed()` | `on_closed()` | nothing | nothing |
| `close()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | `on_closed()` | nothing | `on_closed()` | `on_closed()` | nothing | nothing |
| `set_read_timeout()`, `set_idle_timeout()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `set_read_timeout(0)`, `set_idle_timeout(0)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | nothing | nothing |
| `set_watermarks()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| `set_watermarks()` raised above a `write()` | `on_error(not_connected)` | `on_drained()` | `on_drained()` | nothing | `on_error(closing)` | `on_drained()` | `on_error(closing)` | nothing | `on_error(not_connected)` | nothing | nothing |
| `set_watermarks()` with `low` above `high` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | `on_error(invalid_argument)` | nothing | nothing |
| `set_filter()` | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
)";

}  // namespace proa_test
