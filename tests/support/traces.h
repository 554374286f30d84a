// Where a person's id still is: in files, in their names, as people write it or as the journal does, in either byte
// order. Pure but for what it reads.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/ids.h"

namespace lestapenna::test {

/// The files below a folder that have it, by path.
inline std::vector<std::string> traces_of(UserId user, const std::filesystem::path& below) {
    std::string little(sizeof user.value, '\0');
    for (std::size_t i = 0; i < little.size(); ++i) little[i] = static_cast<char>(user.value >> 8 * i & 0xFF);
    const std::vector<std::string> forms{user.text(), little, {little.rbegin(), little.rend()}};
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(below)) {
        std::string text = entry.path().filename().native() + "\n";
        if (entry.is_regular_file()) {
            std::ifstream in(entry.path(), std::ios::binary);
            text.append(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        }
        for (const std::string& form : forms) {
            if (text.find(form) == std::string::npos) continue;
            found.push_back(entry.path().string());
            break;
        }
    }
    return found;
}

}  // namespace lestapenna::test
