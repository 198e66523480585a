// The command line of file_io and raw_file_io.
#include <getopt.h>

#include "arguments.hpp"
#include "file_load.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: %s [options]
Reads and writes files from several threads; first all write, then all read.

  -w, --workers N       threads (4)
  -n, --operations N    writes, then reads, of each; its file has as many blocks (1000)
  -b, --block BYTES     at least 8 (4096)
      --batch N         requests submitted at a time; also -batch N (1)
      --depth N         requests in flight per worker, at least a batch (a batch)
  -d, --dir DIRECTORY   for the files of the workers, which nothing is left of (/tmp)
      --backend NAME    of proa (auto)
      --direct          past the page cache (O_DIRECT), in buffers of proa's pool
      --own-memory      with --direct: in memory of the program's own, which is not registered
      --random          blocks in random order, not one after the other
      --seconds S       each phase takes so long, whatever -n is
      --file PATH       all workers use this file; made if it is not there or too short, and kept
      --size BYTES      of that file
      --read-only       no write phase
      --write-only      no read phase
      --json            the result as JSON, instead of text
      --help

raw_file_io is the floor: pread and pwrite, one at a time; batch, depth and backend are nothing to
it. Every block carries its offset in its first 8 bytes; a read that finds something else is an
error. CPU is that of all threads, user and system. MB/s: 10^6 bytes.
Exit status: 0, 1 after any error, 64 for bad usage.
)";

constexpr std::uint64_t kMost = std::uint64_t{1} << 40;

void check(const FileOptions& options) {
  if (options.depth < options.batch) bad_usage("the depth is less than a batch");
  if (!options.reads && !options.writes) bad_usage("neither reads nor writes");
  if (options.file.empty() != (options.size == 0)) bad_usage("--file and --size go together");
  if (options.blocks() == 0) bad_usage("the size is less than a block");
  if (options.blocks() >= std::uint64_t{1} << 32) bad_usage("more than 2^32 blocks");
}

}  // namespace

FileOptions parse_file_options(int argc, char** argv) {
  enum Name { kBatch = 256, kDepth, kBackend, kDirect, kRandom, kSeconds };
  enum More { kFile = kSeconds + 1, kOwnMemory, kSize, kReadOnly, kWriteOnly, kJson, kHelpWanted };
  static const option kLong[] = {{"workers", required_argument, nullptr, 'w'},
                                 {"operations", required_argument, nullptr, 'n'},
                                 {"block", required_argument, nullptr, 'b'},
                                 {"batch", required_argument, nullptr, kBatch},
                                 {"depth", required_argument, nullptr, kDepth},
                                 {"dir", required_argument, nullptr, 'd'},
                                 {"backend", required_argument, nullptr, kBackend},
                                 {"direct", no_argument, nullptr, kDirect},
                                 {"own-memory", no_argument, nullptr, kOwnMemory},
                                 {"random", no_argument, nullptr, kRandom},
                                 {"seconds", required_argument, nullptr, kSeconds},
                                 {"file", required_argument, nullptr, kFile},
                                 {"size", required_argument, nullptr, kSize},
                                 {"read-only", no_argument, nullptr, kReadOnly},
                                 {"write-only", no_argument, nullptr, kWriteOnly},
                                 {"json", no_argument, nullptr, kJson},
                                 {"help", no_argument, nullptr, kHelpWanted},
                                 {nullptr, 0, nullptr, 0}};
  FileOptions result;
  std::size_t depth = 0;
  // _only: the seed of this benchmark says -batch.
  for (int name; (name = getopt_long_only(argc, argv, "w:n:b:d:", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'w':
        result.workers = to_number("workers", optarg, 1, 1024);
        break;
      case 'n':
        result.operations = to_number("operations", optarg, 1, kMost);
        break;
      case 'b':
        result.block = to_number("block", optarg, 8, 1U << 30);
        break;
      case 'd':
        result.folder = optarg;
        break;
      case kBatch:
        result.batch = to_number("batch", optarg, 1, 65536);
        break;
      case kDepth:
        depth = to_number("depth", optarg, 1, 65536);
        break;
      case kBackend:
        result.backend = optarg;
        break;
      case kDirect:
        result.direct = true;
        break;
      case kOwnMemory:
        result.own_memory = true;
        break;
      case kRandom:
        result.random = true;
        break;
      case kSeconds:
        result.seconds = to_seconds("seconds", optarg);
        break;
      case kFile:
        result.file = optarg;
        break;
      case kSize:
        result.size = to_number("size", optarg, 1, kMost);
        break;
      case kReadOnly:
        result.writes = false;
        break;
      case kWriteOnly:
        result.reads = false;
        break;
      case kJson:
        result.json = true;
        break;
      case kHelpWanted:
        std::printf(kHelp, program_invocation_short_name);
        std::exit(0);
      default:
        std::fputs("try --help\n", stderr);
        std::exit(EX_USAGE);
    }
  }
  if (optind < argc) bad_usage(std::string("unexpected argument '") + argv[optind] + "'");
  result.depth = depth != 0 ? depth : result.batch;
  check(result);
  return result;
}

}  // namespace bench
