/* The floor: read a pcap in 1 MB pieces and walk its record headers, nothing else. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned char buffer[(1 << 20) + (1 << 18) + 64];

int main(int argc, char **argv) {
    int file = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    size_t at = 24, stop = 0, room = sizeof buffer;
    uint64_t packets = 0, bytes = 0, stamps = 0;
    ssize_t n;
    if (file < 0) return 2;
    while ((n = read(file, buffer + stop, room - stop)) > 0) {
        stop += (size_t)n;
        while (at + 16 <= stop) {
            uint32_t header[4];
            memcpy(header, buffer + at, 16);
            if (header[2] > 1 << 18) return 3;
            if (at + 16 + header[2] > stop) break;
            packets++;
            bytes += header[2];
            stamps += header[0] ^ header[1];
            at += 16 + header[2];
        }
        if (at > stop) continue;
        memmove(buffer, buffer + at, stop - at);
        stop -= at;
        at = 0;
    }
    printf("{\"packets\": %llu, \"bytes\": %llu, \"sum\": %llu}\n", (unsigned long long)packets,
           (unsigned long long)bytes, (unsigned long long)stamps);
    return 0;
}
