// What retention asks and remembers: how much there is, and what the clocks said when it last swept.
#include <array>
#include <charconv>
#include <span>

#include "base/hash.h"
#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace lestapenna::catalog {

namespace {

constexpr std::string_view kBelieved = "believed";
constexpr std::string_view kDoubted = "doubted";

/// The inverse of hex(); all zero for any other text.
BootId boot_id(std::string_view text) {
    BootId id;
    std::span bytes(id.bytes);
    if (text.size() != 2 * bytes.size()) return id;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto* const digits = text.data() + 2 * i;
        if (std::from_chars(digits, digits + 2, bytes[i], 16).ptr != digits + 2) return {};
    }
    return id;
}

}  // namespace

Result<Sizes> Catalog::sizes(const std::optional<SessionId>& session) const {
    const auto of = [&](std::string_view table) {
        return database_.query(
            "SELECT count(*), ifnull(sum(bytes), 0) FROM " + std::string(table) +
                " WHERE bytes IS NOT NULL AND (?1 IS NULL OR session_id = ?1)",
            [](Row row) {
                return Stored{row.integer(0), row.integer(1)};
            },
            session ? std::optional(session->text()) : std::nullopt);
    };
    const auto chunks = of("chunks");
    if (!chunks) return chunks.error();
    const auto fragments = of("recordings");
    if (!fragments) return fragments.error();
    const auto masters = of("masters");
    if (!masters) return masters.error();
    return Sizes{chunks->front(), fragments->front(), masters->front()};
}

Result<Sweeps> Catalog::sweeps() const {
    const auto rows = database_.query("SELECT name, wall, boot, machine FROM sweeps", [](Row row) {
        return std::pair(row.text(0), Moment{unix_time(row.integer(1)), BootTime{nanoseconds{row.integer(2)}},
                                             boot_id(row.text(3))});
    });
    if (!rows) return rows.error();
    Sweeps sweeps;
    for (const auto& [name, moment] : *rows) (name == kBelieved ? sweeps.believed : sweeps.doubted) = moment;
    return sweeps;
}

Status Catalog::set_sweeps(const Sweeps& sweeps) {
    const auto write = [&](std::string_view name, const std::optional<Moment>& moment) -> Status {
        if (!moment) return database_.run("DELETE FROM sweeps WHERE name = ?1", name);
        return database_.run(
            "INSERT INTO sweeps (name, wall, boot, machine) VALUES (?1, ?2, ?3, ?4) "
            "ON CONFLICT (name) DO UPDATE SET wall = ?2, boot = ?3, machine = ?4",
            name, unix_ms(moment->wall), moment->boot.time_since_epoch().count(), hex(moment->machine.bytes));
    };
    return together([&]() -> Status {
        if (auto written = write(kBelieved, sweeps.believed); !written) return written;
        return write(kDoubted, sweeps.doubted);
    });
}

}  // namespace lestapenna::catalog
