#pragma once

// All of proa. See proactor.hpp for the loop, stream_handler.hpp and server.hpp for the usual
// start.

#include <proa/accept_handler.hpp>
#include <proa/address.hpp>
#include <proa/backend.hpp>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/datagram.hpp>
#include <proa/datagram_handler.hpp>
#include <proa/datagram_queue.hpp>
#include <proa/descriptor.hpp>
#include <proa/error.hpp>
#include <proa/file.hpp>
#include <proa/file_handler.hpp>
#include <proa/file_requests.hpp>
#include <proa/handler.hpp>
#include <proa/misuse.hpp>
#include <proa/notifier.hpp>
#include <proa/on.hpp>
#include <proa/operation.hpp>
#include <proa/options.hpp>
#include <proa/owned_descriptor.hpp>
#include <proa/pieces.hpp>
#include <proa/post.hpp>
#include <proa/proactor.hpp>
#include <proa/requests.hpp>
#include <proa/server.hpp>
#include <proa/signal_handler.hpp>
#include <proa/socket.hpp>
#include <proa/stream_handler.hpp>
#include <proa/system.hpp>
#include <proa/time.hpp>
#include <proa/timer_handler.hpp>
#include <proa/version.hpp>
#include <proa/worker_pool.hpp>
