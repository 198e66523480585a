// compare protocols: what a request costs this project's protocol servers, beside well-known ones.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "compare.hpp"
#include "dns_conversation.hpp"
#include "http_conversation.hpp"
#include "paired_report.hpp"
#include "progress.hpp"
#include "run_program.hpp"
#include "temporary_folder.hpp"
#include "turn_options.hpp"

namespace bench {
namespace {

constexpr char kHelp[] = R"(usage: compare protocols [options]

What a request costs proa-serve (HTTP files of 1 KiB, 100 KiB and 10 MiB, connections that stay open)
beside nginx, and proa-dns (UDP) beside Knot DNS, as ratios to those. In turns, as compare tcp does.
What is not installed, or not built, is skipped and said to be.
  -c, --connections N      one request on its way on each (100); at most 10 for 10 MiB
  -d, --duration SECONDS   per comparison, up to three times as long while uncertain (10)
      --slice-ms MS        length of a turn (20)
)";

constexpr char kServe[] = "../tools/proa-serve";
constexpr char kDns[] = "../tools/proa-dns";

constexpr std::size_t kLargest = std::size_t{10} << 20;
constexpr std::size_t kMostForLargest = 10;  // 100 MiB on their way

/// For a worker that reads what this process writes, whoever runs it. @PORT@ becomes the port.
constexpr char kNginx[] = R"(daemon off;
master_process off;
worker_processes 1;
@USER@
pid @FOLDER@/nginx-@PORT@.pid;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path @FOLDER@/nginx-@PORT@;
  proxy_temp_path @FOLDER@/nginx-@PORT@;
  fastcgi_temp_path @FOLDER@/nginx-@PORT@;
  uwsgi_temp_path @FOLDER@/nginx-@PORT@;
  scgi_temp_path @FOLDER@/nginx-@PORT@;
  server {
    listen 127.0.0.1:@PORT@;
    root @FOLDER@/files;
  }
}
)";

constexpr char kKnot[] = R"(server:
    rundir: "@FOLDER@/knot-@PORT@"
    listen: 127.0.0.1@@PORT@
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "@FOLDER@/knot-@PORT@"
zone:
  - domain: example.
    file: "@FOLDER@/example.zone"
    zonefile-sync: -1
    journal-content: none
log:
  - target: stderr
    any: error
)";

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

std::string replaced(std::string text, const std::string& mark, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += by.size()) {
    text.replace(at, mark.size(), by);
  }
  return text;
}

/// A server that reads its port from a file: `program` ends with the option that names the file,
/// which is made of `configuration` when the port is known.
Contender configured(const TemporaryFolder& folder, const std::string& name,
                     const std::string& version, const std::string& configuration,
                     const std::string& program) {
  const std::string base = folder.path() + "/" + name;
  std::string text = replaced(configuration, "@FOLDER@", folder.path());
  write_file(base, replaced(text, "@USER@", geteuid() == 0 ? "user root;" : ""));
  const std::string own = base + "-%p.conf";
  const std::string command = "sh -c 'sed s/@PORT@/%p/g " + base + " >" + own + " && mkdir " +
                              base + "-%p && exec " + program + " " + own + "'";
  return {version.substr(0, version.rfind(' ')), command, "peer", "epoll", version};
}

/// From "nginx version: nginx/1.22.1".
std::string nginx_version() {
  const std::string text = output_of("nginx -v 2>&1");
  const std::size_t begin = text.find('/') + 1;
  return "nginx " + text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

/// From "knotd (Knot DNS), version 3.2.6".
std::string knot_version() {
  const std::string text = output_of("knotd -V");
  const std::size_t begin = text.rfind(' ') + 1;
  return "Knot DNS " + text.substr(begin, text.find('\n', begin) - begin);
}

/// Why there is nothing to compare, or nothing.
std::string missing(const std::string& program, const std::string& package,
                    const std::string& own) {
  if (!is_built(own)) return own.substr(own.rfind('/') + 1) + " was not built";
  if (!is_installed(program)) return program + " is not installed (package " + package + ")";
  return {};
}

/// One of the comparisons, and who takes part in it, once it is known that they are there.
struct Entry {
  PairedComparison comparison;
  std::string missing;
  std::function<Group()> group;
};

std::string size_text(std::size_t size) {
  const bool mebibytes = size >= std::size_t{1} << 20;
  return std::to_string(size >> (mebibytes ? 20 : 10)) + (mebibytes ? " MiB" : " KiB");
}

Entry http(const TemporaryFolder& folder, std::size_t size, std::size_t connections) {
  if (size == kLargest) connections = std::min(connections, kMostForLargest);
  Entry entry;
  Comparison& what = entry.comparison.what;
  what.group = "HTTP files";
  what.name = "protocols-http-" + std::to_string(size) + "-" + std::to_string(connections);
  what.title = "GET of " + size_text(size) + ", " + connections_text(connections);
  entry.missing = missing("nginx", "nginx", kServe);
  entry.group = [&folder] {
    const std::string options = " --strict --listen 127.0.0.1:%p " + folder.path() + "/files";
    return Group{configured(folder, "nginx", nginx_version(), kNginx,
                            "nginx -e " + folder.path() + "/nginx-%p.log -c"),
                 ours(kServe, "epoll", options), ours(kServe, "uring", options)};
  };
  entry.comparison.make_load = [&folder, size, connections] {
    const auto file = std::make_shared<ServedFile>();
    file->name = std::to_string(size);
    std::mt19937 random;  // the same bytes every time
    while (file->content.size() < size) file->content += static_cast<char>(random());
    write_file(folder.path() + "/files/" + file->name, file->content);
    return std::make_unique<RequestLoad>(
        Transport::tcp, connections, [file] { return std::make_unique<HttpConversation>(file); });
  };
  return entry;
}

/// The names for both servers, each in its form.
void write_names(const TemporaryFolder& folder) {
  std::string zone =
      "$ORIGIN example.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 900 604800 300\n@ NS ns\nns A "
      "127.0.0.1\n";
  std::string records;
  for (std::uint32_t i = 0; i < ServedName::kNames; ++i) {
    const ServedName name(i);
    zone += name.name() + ". A " + name.address() + "\n";
    records += name.name() + "=" + name.address() + "\n";
  }
  write_file(folder.path() + "/example.zone", zone);
  write_file(folder.path() + "/records", records);
}

Entry dns(const TemporaryFolder& folder, std::size_t connections) {
  Entry entry;
  Comparison& what = entry.comparison.what;
  what.group = "DNS";
  what.name = "protocols-dns-" + std::to_string(connections);
  what.title = "address of one of " + std::to_string(ServedName::kNames) + " names, UDP, " +
               std::to_string(connections) + " clients";
  entry.missing = missing("knotd", "knot", kDns);
  entry.group = [&folder] {
    write_names(folder);
    const std::string options =
        " --strict --listen 127.0.0.1:%p --file " + folder.path() + "/records";
    return Group{configured(folder, "knot", knot_version(), kKnot, "knotd -c"),
                 ours(kDns, "epoll", options), ours(kDns, "uring", options)};
  };
  entry.comparison.make_load = [connections] {
    return std::make_unique<RequestLoad>(Transport::udp, connections,
                                         [number = std::uint32_t{0}]() mutable {
                                           return std::make_unique<DnsConversation>(number++);
                                         });
  };
  return entry;
}

int play(const Entry& entry, const Plan& plan, Report& report) {
  const Comparison& what = entry.comparison.what;
  if (!entry.missing.empty()) {
    finish_work(plan.seconds);
    report.skip(what, entry.missing);
    return kNoise;
  }
  Group group;
  try {
    group = entry.group();
  } catch (const std::exception& error) {
    finish_work(plan.seconds);
    report.fail(what, error.what());
    return kFailed;
  }
  return measure_and_report(std::move(group), plan, entry.comparison, report);
}

}  // namespace

int compare_protocols(int argc, char** argv, Report& report) {
  TurnOptions options = parse_turn_options(argc, argv, kHelp, {100});
  if (!options.given.empty()) bad_usage("protocols: no command can be given");
  // A server's socket for datagrams holds some 200 of them.
  if (options.counts.size() != 1 || options.counts.front() > 200) {
    bad_usage("protocols: connections is one number, at most 200");
  }
  const std::size_t connections = options.counts.front();
  const char* const path = std::getenv("PATH");
  setenv("PATH", (std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin").c_str(), 1);
  options.plan.processor = take_processors();
  const TemporaryFolder folder;
  output_of("mkdir " + folder.path() + "/files");
  std::vector<Entry> entries;
  for (const std::size_t size : {std::size_t{1} << 10, std::size_t{100} << 10, kLargest}) {
    entries.push_back(http(folder, size, connections));
  }
  entries.push_back(dns(folder, connections));
  expect_comparisons(entries.size(), options.plan);
  int status = kFine;
  for (Entry& entry : entries) {
    entry.comparison.units.one = "request";
    entry.comparison.units.many = "requests";
    status = worse(status, play(entry, options.plan, report));
  }
  return status;
}

}  // namespace bench
