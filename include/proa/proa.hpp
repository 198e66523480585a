#pragma once

/// @namespace proa
/// All of proa. See Proactor for the loop, StreamHandler and Server for the usual start. Numbers
/// such as (R6) are rules of the contract, docs/CONTRACT.md, which is installed with the
/// documentation.

#include <proa/accept_handler.hpp>
#include <proa/address.hpp>
#include <proa/backend.hpp>
#include <proa/backend_info.hpp>
#include <proa/backend_side.hpp>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/counters.hpp>
#include <proa/datagram.hpp>
#include <proa/datagram_handler.hpp>
#include <proa/datagram_info.hpp>
#include <proa/descriptor.hpp>
#include <proa/error.hpp>
#include <proa/file.hpp>
#include <proa/file_handler.hpp>
#include <proa/file_requests.hpp>
#include <proa/frame_reader.hpp>
#include <proa/handler.hpp>
#include <proa/line_reader.hpp>
#include <proa/listen_fds.hpp>
#include <proa/misuse.hpp>
#include <proa/notifier.hpp>
#include <proa/on.hpp>
#include <proa/operation.hpp>
#include <proa/options.hpp>
#include <proa/owned_descriptor.hpp>
#include <proa/poll.hpp>
#include <proa/poll_handler.hpp>
#include <proa/post.hpp>
#include <proa/proactor.hpp>
#include <proa/reconnector.hpp>
#include <proa/requests.hpp>
#include <proa/server.hpp>
#include <proa/signal_handler.hpp>
#include <proa/socket.hpp>
#include <proa/socket_option.hpp>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>
#include <proa/system.hpp>
#include <proa/time.hpp>
#include <proa/timer_handler.hpp>
#include <proa/version.hpp>
#include <proa/watermarks.hpp>
#include <proa/work.hpp>
#include <proa/worker_pool.hpp>
