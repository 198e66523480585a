// The subcommands of `compare`. Each prints what it finds and returns the exit status.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "measure.hpp"
#include "own_folder.hpp"

namespace bench {

/// Exit statuses of `compare`, besides EX_USAGE.
constexpr int kFine = 0;
constexpr int kFailed = 1;         ///< errors in the load, or a program that does not run
constexpr int kNotBelievable = 2;  ///< the self-check failed twice

/// Each group is measured by itself; its first contender is what the others are divided by.
int compare_tcp(const std::vector<std::vector<Contender>>& groups,
                const std::vector<std::size_t>& counts, std::size_t size, const Plan& plan);

/// Datagram echo servers in turns, on the command line of `compare udp`.
int compare_udp(int argc, char** argv);

/// Holds `connections` to each server in turn, which runs on `processor`; prints what they cost it.
int compare_memory(const std::vector<Contender>& contenders, std::size_t connections,
                   int processor);

/// Programs that read and write files, in turns, on the command line of `compare files`.
int compare_files(int argc, char** argv);
extern const char kFilesHelp[];

/// From the command line; what is wrong ends the program. NAME=COMMAND with %p for the port:
Contender to_contender(const std::string& text);
/// Numbers with commas in between:
std::vector<std::size_t> to_counts(const std::string& what, const std::string& text);

/// Moves this thread, which will be the load, to its processor, and prints what runs where.
Processors take_processors();

/// Kernel and processor: no number says anything without them.
std::string machine();

}  // namespace bench
