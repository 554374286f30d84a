#include "cli/names.h"

#include <array>

#include <fmt/format.h>

namespace lestapenna::cli {

std::string player_name(std::size_t player) {
    constexpr std::array kNames{"Aldo", "Bice",  "Carlo", "Dora", "Elio",  "Fosca",
                                "Gino", "Hilde", "Ivo",   "Lia",  "Marco", "Nives"};
    return player < kNames.size() ? kNames[player] : fmt::format("Giocatore {}", player + 1);
}

}  // namespace lestapenna::cli
