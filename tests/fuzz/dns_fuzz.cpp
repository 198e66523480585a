// Questions to proa-dns: whatever the bytes, nothing beyond them is read, and an answer is one to
// its question, no longer than its transport takes.

#include <algorithm>
#include <memory>

#include "../../tools/dns_message.hpp"
#include "fuzz.hpp"

namespace {

const dns::Zone& zone() {
  static const dns::Zone made = [] {
    dns::Zone zone;
    for (int i = 1; i <= 120; ++i) zone.add("a.test=192.0.2." + std::to_string(i));
    zone.add("a.test=2001:db8::1");
    zone.add("long.test=txt:" + std::string(4000, 'x'));
    return zone;
  }();
  return made;
}

void ask(std::string_view packet, bool over_udp) {
  const std::string before = "before";
  std::string out = before;
  const bool answered = dns::append_answer(zone(), packet, over_udp, out);
  require(out.compare(0, before.size(), before) == 0, "what was there stays");
  if (!answered) return require(out == before, "nothing is said without an answer");
  const std::string_view answer = std::string_view(out).substr(before.size());
  require(answer.size() >= dns::header_size, "an answer has a header");
  require(answer.size() <= (over_udp ? dns::edns_size : dns::stream_size), "it is short enough");
  require(answer.substr(0, 2) == packet.substr(0, 2), "it has the number of the question");
  require((dns::get16(answer, 2) & dns::response) != 0, "it is an answer");
  require((dns::get16(answer, 2) & dns::kind) == (dns::get16(packet, 2) & dns::kind),
          "it is of the same kind");
  require(dns::get16(answer, 10) > 0 || !over_udp || answer.size() <= dns::plain_size,
          "without EDNS it is short");
  std::string again;
  require(!dns::append_answer(zone(), answer, over_udp, again), "an answer is not answered");
}

std::string question(std::string_view name, std::string_view counts, std::string_view behind) {
  return "\x12\x34\x01" + std::string(1, '\0') + std::string(counts) + std::string(name) +
         std::string("\0\x01\0\x01", 4) + std::string(behind);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz_input(data, size);
  // The memory ends with the bytes.
  const std::unique_ptr<char[]> memory(new char[size]);
  std::copy(input.begin(), input.end(), memory.get());
  for (const bool over_udp : {true, false}) ask({memory.get(), size}, over_udp);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string name("\1a\4test\0", 8);
  const std::string one("\0\1\0\0\0\0\0\0", 8);
  const std::string with_edns("\0\1\0\0\0\0\0\1", 8);
  const std::string edns("\0\0\x29\x10\0\0\0\0\0\0\0", 11);
  const std::string options("\0\0\x29\x02\x58\0\0\x80\0\0\x09\0\x0a\0\1x\0\3\0\0", 20);
  return {question(name, one, ""),
          question(name, with_edns, edns),
          question(name, with_edns, options),
          question(std::string("\4long\4test\0", 11), with_edns, edns),
          question(std::string("\0", 1), one, ""),
          question(name, std::string("\0\1\0\2\0\0\0\1", 8), std::string("\xc0\x0c", 2) + edns),
          "",
          std::string(64, '\xff'),
          std::string(64, '\0')};
}
