// Files, threads and phases. Nothing here runs during a phase: threads wait for each other before
// and after it, time and CPU are read in between.
#include "file_load.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <new>
#include <random>
#include <system_error>
#include <thread>

#include "arguments.hpp"

namespace bench {

Schedule::Schedule(const FileOptions& options, std::uint64_t first, FileClock::time_point end)
    : blocks_(options.blocks()),
      block_(options.block),
      at_(first % options.blocks()),
      left_(options.operations),
      state_(std::random_device{}() | std::uint64_t{1} << 40),
      end_(end),
      timed_(end != FileClock::time_point{}),
      random_(options.random) {}

void Tally::add(const Tally& other) {
  if (errors == 0) first_error = other.first_error;
  operations += other.operations;
  errors += other.errors;
  latencies.add(other.latencies);
}

AlignedMemory aligned_blocks(std::size_t count, std::size_t block) {
  const std::size_t size = (count * block + 4095) / 4096 * 4096;
  AlignedMemory memory(static_cast<char*>(std::aligned_alloc(4096, size)));
  if (!memory) throw std::bad_alloc();
  std::memset(memory.get(), 'x', size);
  return memory;
}

namespace {

/// A file for one worker, or the one that all share. What is not shared loses its name as soon as
/// everybody has opened it, so that nothing is left even by a program that is killed.
class Prepared {
 public:
  Prepared(const FileOptions& options, std::size_t worker)
      : path_(options.file), temporary_(options.file.empty()) {
    if (temporary_) {
      path_ =
          options.folder + "/file_io." + std::to_string(getpid()) + "." + std::to_string(worker);
    }
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | (temporary_ ? O_EXCL : 0);
    descriptor_ = open(path_.c_str(), flags, 0600);
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), path_);
  }
  ~Prepared() {
    if (descriptor_ >= 0) close(descriptor_);
    forget_name();
  }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  const std::string& path() const { return path_; }
  void make_content(const FileOptions& options) {
    if (needs_content(options)) fill(options);
  }
  void forget_name() {
    if (temporary_) unlink(path_.c_str());
    temporary_ = false;
  }

 private:
  /// A count of writes in order makes all of the file itself.
  bool needs_content(const FileOptions& options) const {
    struct stat status {};
    if (fstat(descriptor_, &status) != 0) {
      throw std::system_error(errno, std::generic_category(), path_);
    }
    if (static_cast<std::uint64_t>(status.st_size) >= options.blocks() * options.block)
      return false;
    return !temporary_ || options.random || options.seconds > 0 || !options.writes;
  }

  void fill(const FileOptions& options) {
    const std::size_t at_a_time = std::max<std::size_t>(1, (std::size_t{1} << 20) / options.block);
    const AlignedMemory memory = aligned_blocks(at_a_time, options.block);
    for (std::uint64_t block = 0; block < options.blocks();) {
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(at_a_time, options.blocks() - block));
      for (std::size_t i = 0; i < count; ++i) {
        stamp(memory.get() + i * options.block, (block + i) * options.block);
      }
      const ssize_t done = pwrite(descriptor_, memory.get(), count * options.block,
                                  static_cast<off_t>(block * options.block));
      if (done != static_cast<ssize_t>(count * options.block)) {
        throw std::system_error(done < 0 ? errno : ENOSPC, std::generic_category(), path_);
      }
      block += count;
    }
    if (fdatasync(descriptor_) != 0) throw std::system_error(errno, std::generic_category(), path_);
  }

  std::string path_;
  bool temporary_;
  int descriptor_ = -1;
};

double cpu_ns() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
}

class Crew {
 public:
  Crew(const FileOptions& options, const MakeWorker& make)
      : options_(options), make_(make), tallies_(options.workers) {
    const std::size_t files = options.file.empty() ? options.workers : 1;
    for (std::size_t i = 0; i < files; ++i) {
      files_.push_back(std::make_unique<Prepared>(options, i));
      files_.back()->make_content(options);
    }
    pthread_barrier_init(&barrier_, nullptr, static_cast<unsigned>(options.workers + 1));
    for (std::size_t i = 0; i < options.workers; ++i) threads_.emplace_back([this, i] { work(i); });
    meet();  // all have opened their files
    for (auto& file : files_) file->forget_name();
  }
  ~Crew() {
    over_ = true;
    meet();
    for (auto& thread : threads_) thread.join();
    pthread_barrier_destroy(&barrier_);
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  Tally play(Access access) {
    access_ = access;
    for (auto& tally : tallies_) tally = Tally();
    const auto length = std::chrono::duration<double>(options_.seconds);
    const double cpu_before = cpu_ns();
    const auto start = FileClock::now();
    end_ = {};
    if (options_.seconds > 0)
      end_ = start + std::chrono::duration_cast<FileClock::duration>(length);
    meet();
    meet();
    Tally total;
    total.seconds = std::chrono::duration<double>(FileClock::now() - start).count();
    total.cpu_ns = cpu_ns() - cpu_before;
    for (const auto& tally : tallies_) total.add(tally);
    return total;
  }

 private:
  void meet() { pthread_barrier_wait(&barrier_); }

  void work(std::size_t index) {
    std::string failure;
    std::unique_ptr<FileWorker> worker;
    try {
      worker = make_(options_, files_[index % files_.size()]->path());
    } catch (const std::exception& error) {
      failure = error.what();
    }
    meet();
    for (meet(); !over_; meet()) {
      const std::uint64_t share = options_.file.empty() ? 0 : options_.blocks() / options_.workers;
      Schedule schedule(options_, index * share, end_);
      if (worker) {
        worker->run(access_, schedule, tallies_[index]);
      } else {
        tallies_[index].fail(failure);
      }
      meet();
    }
  }

  const FileOptions& options_;
  const MakeWorker& make_;
  std::vector<std::unique_ptr<Prepared>> files_;
  std::vector<Tally> tallies_;
  pthread_barrier_t barrier_{};
  // Written between phases, when the threads wait at the barrier.
  Access access_ = Access::write;
  FileClock::time_point end_;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

int run_file_load(int argc, char** argv, const MakeWorker& make) {
  const FileOptions options = parse_file_options(argc, argv);
  try {
    Tally write;
    Tally read;
    {
      Crew crew(options, make);
      if (options.writes) write = crew.play(Access::write);
      if (options.reads) read = crew.play(Access::read);
    }
    report(options, write, read);
    return write.errors + read.errors == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, error.what());
    return 1;
  }
}

}  // namespace bench
