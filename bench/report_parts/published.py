"""Figures that somebody else has published. They are the only ones that are not from the input, and nothing is
divided by them."""

TITLE = "Published figures of another machine"
CAVEAT = ("From the report of galay-kernel, by its authors, on their machines and with their load. They were not measured "
          "here, and must not be compared with what is above: no ratio is formed.")
FIGURES = [
    ("TCP echo, kqueue (macOS)", 320799, "echoes/s"),
    ("TCP echo, io_uring", 302893, "echoes/s"),
    ("TCP echo, epoll", 177102, "echoes/s"),
    ("UDP", 35082, "packets/s"),
    ("files, blocks of 4 KiB, kqueue", 38095, "IOPS"),
    ("files, blocks of 4 KiB, io_uring", 40000, "IOPS"),
    ("files, blocks of 4 KiB, epoll and libaio", 2663, "IOPS"),
    ("files, blocks of 4 KiB, epoll and libaio, batched", 5004, "IOPS"),
]
