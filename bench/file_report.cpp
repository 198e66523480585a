// What file_io and raw_file_io print.
#include <cinttypes>
#include <cstdio>

#include "file_load.hpp"

namespace bench {
namespace {

struct Figures {
  Figures(const FileOptions& options, const Tally& tally) : errors(tally.errors) {
    const auto done = static_cast<double>(tally.operations);
    if (tally.seconds > 0) iops = done / tally.seconds;
    megabytes = iops * static_cast<double>(options.block) / 1e6;
    if (done > 0) cpu_ns = tally.cpu_ns / done;
    p50 = tally.latencies.percentile(50);
    p99 = tally.latencies.percentile(99);
  }

  double iops = 0;
  double megabytes = 0;
  double cpu_ns = 0;
  std::uint64_t p50 = 0;
  std::uint64_t p99 = 0;
  std::uint64_t errors = 0;
};

void print_text(const char* name, const FileOptions& options, const Tally& tally) {
  const Figures figures(options, tally);
  std::printf("%s: %.0f IOPS, %.1f MB/s, p50 %.1f us, p99 %.1f us, %.0f ns CPU/op, %" PRIu64
              " operations in %.3f s, %" PRIu64 " errors\n",
              name, figures.iops, figures.megabytes, static_cast<double>(figures.p50) / 1e3,
              static_cast<double>(figures.p99) / 1e3, figures.cpu_ns, tally.operations,
              tally.seconds, figures.errors);
}

void print_json(const char* name, const FileOptions& options, const Tally& tally) {
  const Figures figures(options, tally);
  std::printf(", \"%s\": {\"iops\": %.1f, \"mb_per_s\": %.3f, \"p50_ns\": %" PRIu64
              ", \"p99_ns\": %" PRIu64 ", \"cpu_ns\": %.1f, \"operations\": %" PRIu64
              ", \"seconds\": %.6f, \"errors\": %" PRIu64 "}",
              name, figures.iops, figures.megabytes, figures.p50, figures.p99, figures.cpu_ns,
              tally.operations, tally.seconds, figures.errors);
}

void complain(const char* name, const Tally& tally) {
  if (tally.errors == 0) return;
  std::fprintf(stderr, "%s: %" PRIu64 " errors, the first: %s\n", name, tally.errors,
               tally.first_error.c_str());
}

}  // namespace

void report(const FileOptions& options, const Tally& write, const Tally& read) {
  if (options.json) {
    std::printf("{\"workers\": %zu, \"block\": %zu, \"batch\": %zu, \"depth\": %zu",
                options.workers, options.block, options.batch, options.depth);
    if (options.writes) print_json("write", options, write);
    if (options.reads) print_json("read", options, read);
    std::puts("}");
  } else {
    std::printf("%zu workers, blocks of %zu bytes, batch %zu, depth %zu, %s, %s\n", options.workers,
                options.block, options.batch, options.depth, options.direct ? "direct" : "buffered",
                options.random ? "random" : "in order");
    if (options.writes) print_text("write", options, write);
    if (options.reads) print_text("read", options, read);
  }
  std::fflush(stdout);
  complain("write", write);
  complain("read", read);
}

}  // namespace bench
