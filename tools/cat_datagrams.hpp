#pragma once

#include <proa/proa.hpp>

/// proa-cat for datagrams: sends each read of standard input as one datagram, and writes what comes
/// back to standard output; ends when, behind the end of standard input, nothing was sent or
/// received for `quiet`. Buffers must be of tool::datagram_buffer_size. Returns an exit status.
int cat_datagrams(proa::Proactor& proactor, const proa::Address& address, proa::Duration quiet);
