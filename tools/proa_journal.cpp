// proa-journal: appends the lines of standard input to a journal, and says which of them are on the
// disk. What makes that true is in journal.hpp.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "journal.hpp"
#include "tool.hpp"

namespace {

constexpr char help[] =
    "usage: proa-journal [options] PATH   appends each line of standard input, as a record\n"
    "       proa-journal --verify PATH    prints how many records there are, before any damage\n"
    "Records are numbered from 1 on. When one is on the disk, so that nothing takes it away, its\n"
    "number is printed. An existing journal is continued behind its last record. One process at a\n"
    "time appends to it; another one fails.\n"
    "\n"
    "A record that was being written when the process or the machine stopped is cut off, which is\n"
    "said. A journal that is damaged, that cannot be read, or that is renamed while the program\n"
    "waits for it, is refused and stays as it is. To give up all behind the damage, at the offset\n"
    "that is named: truncate -s OFFSET PATH.\n"
    "\n"
    "      --verify           only look\n" TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n"
    "Exit status: 0 when all was written, 1 after an error, 2 for bad usage.\n";

/// Standard input, line by line.
class Lines final : public proa::StreamHandler {
 public:
  Lines(proa::Proactor& proactor, proa::Socket socket, journal::Journal& to)
      : StreamHandler(proactor, std::move(socket)), journal_(to) {}

  bool failed() const { return failed_; }

 private:
  void on_open() override { start_reading(); }
  void on_read(proa::Buffer& data) override {
    std::string_view bytes(data.data(), data.size());
    for (std::size_t end; (end = bytes.find('\n')) != bytes.npos; bytes.remove_prefix(end + 1)) {
      add(line_.append(bytes.substr(0, end)));
      line_.clear();
    }
    line_.append(bytes);
    check(line_);
    if (journal_.waiting() > most_waiting) stop_reading();
  }
  void on_end() override {
    if (!line_.empty()) add(line_);
    close();
  }
  // Whole lines that came before are appended and acknowledged all the same.
  void on_error(std::error_code error) override {
    tool::complain("standard input: " + error.message());
    failed_ = true;
    close();
  }
  void add(const std::string& line) {
    check(line);
    journal_.append(line);
  }
  static void check(const std::string& line) {
    if (line.size() > journal::largest_record) tool::die("a line is longer than a mebibyte");
  }

  static constexpr std::uint64_t most_waiting = 1000;

  journal::Journal& journal_;
  std::string line_;
  bool failed_ = false;
};

class Log final : public journal::Journal {
 public:
  Log(proa::Proactor& proactor, proa::Descriptor file, std::string path,
      const journal::Contents& contents)
      : Journal(proactor, file, contents),
        proactor_(proactor),
        path_(std::move(path)),
        printed_(contents.records) {}

  void read_from(Lines& lines) { lines_ = &lines; }
  int status() const { return status_; }

 private:
  void on_synced(std::uint64_t number) override {
    while (printed_ < number) {
      std::printf("%llu\n", static_cast<unsigned long long>(++printed_));
    }
    if (std::fflush(stdout) != 0)
      return fail("standard output: " + std::string(std::strerror(errno)));
    if (lines_->is_open()) lines_->start_reading();
  }
  void on_error(std::error_code error) override { fail(path_ + ": " + error.message()); }

  void fail(const std::string& why) {
    if (status_ == 0) tool::complain(why);  // the first reason is the reason
    status_ = tool::failure;
    proactor_.stop();
  }

  proa::Proactor& proactor_;
  const std::string path_;
  Lines* lines_ = nullptr;
  std::uint64_t printed_;
  int status_ = 0;
};

/// A new file is found again after a crash if its directory was synced, which is not that of a
/// symbolic link to it.
void sync_directory(const std::string& path) {
  std::error_code error;
  const std::string name = std::filesystem::canonical(path, error).parent_path().string();
  if (error) tool::die(path + ": " + error.message());
  const int directory = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0 || ::fsync(directory) != 0) tool::die(name + ": " + std::strerror(errno));
  ::close(directory);
}

/// Two processes would write over each other's records. Lasts as long as the file is open, also in
/// the kernel: what a killed process had begun with io_uring goes on for a moment, and is waited
/// for.
void lock(int file, const std::string& path) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (bool late = false; ::flock(file, LOCK_EX | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK) tool::die(path + ": " + std::strerror(errno));
    if (late) tool::die(path + ": another process appends to it");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    // However long the process was stopped, it tries once more.
    late = std::chrono::steady_clock::now() > end;
  }
}

/// While this process waited for the lock, its holder or somebody else may have renamed the file.
void check_name(int file, const std::string& path) {
  struct stat ours {};
  struct stat named {};
  if (::fstat(file, &ours) != 0) tool::die(path + ": " + std::strerror(errno));
  const bool found = ::stat(path.c_str(), &named) == 0;
  if (found && ours.st_dev == named.st_dev && ours.st_ino == named.st_ino) return;
  tool::die(path + ": the file was renamed or replaced while this process waited for it");
}

std::string torn_tail(const std::string& path, const journal::Contents& contents) {
  return path + ": offset " + std::to_string(contents.end) + ": the torn record at the end, " +
         std::to_string(contents.torn) + " bytes";
}

int write_journal(const std::string& path, const proa::Options& options) {
  const auto proactor = tool::make_proactor(options);
  std::error_code error;
  using proa::OpenFlags;
  const proa::File file = proa::File::open(
      *proactor, path, OpenFlags::read | OpenFlags::write | OpenFlags::create, 0644, error);
  if (error) tool::die(path + ": " + error.message());
  const int number = file.descriptor().number;
  lock(number, path);
  check_name(number, path);
  sync_directory(path);
  const journal::Contents contents = journal::scan(number);
  if (!contents.refusal.empty()) tool::die(path + ": " + contents.refusal);
  if (contents.torn > 0) {
    if (::ftruncate(number, static_cast<off_t>(contents.end)) != 0) {
      tool::die(path + ": " + std::strerror(errno));
    }
    tool::complain(torn_tail(path, contents) + ", was cut off");
  }
  // Also the records that a process which was killed had written and not synced are there to stay.
  if (::fsync(number) != 0) tool::die(path + ": " + std::strerror(errno));
  proa::Socket input = proa::Socket::borrow(*proactor, STDIN_FILENO, error);
  if (error) tool::die("standard input: " + error.message());

  Log log(*proactor, file.descriptor(), path, contents);
  Lines lines(*proactor, std::move(input), log);
  log.read_from(lines);
  proactor->run();
  proactor->shutdown(std::chrono::seconds(60));
  return lines.failed() ? tool::failure : log.status();
}

int verify_journal(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) tool::die(path + ": " + std::strerror(errno));
  const journal::Contents contents = journal::scan(file);
  std::printf("%llu\n", static_cast<unsigned long long>(contents.records));
  if (!contents.refusal.empty()) tool::die(path + ": " + contents.refusal);
  if (contents.torn > 0) tool::complain(torn_tail(path, contents) + ", will be cut off");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  enum { option_verify = 1 };
  const option long_options[] = {{"verify", no_argument, nullptr, option_verify},
                                 {"help", no_argument, nullptr, 'h'},
                                 TOOL_BACKEND_OPTIONS,
                                 {}};
  proa::Options options;
  bool verify = false;
  for (int c; (c = ::getopt_long(argc, argv, "h", long_options, nullptr)) != -1;) {
    if (tool::take_backend_option(c, options)) continue;
    switch (c) {
      case option_verify:
        verify = true;
        break;
      case 'h':
        std::fputs(help, stdout);
        return 0;
      default:
        tool::die("try --help", tool::usage_error);
    }
  }
  if (argc - optind != 1) tool::bad_usage("one path is needed");
  const std::string path = argv[optind];
  if (!verify) return write_journal(path, options);
  return verify_journal(path);
}
