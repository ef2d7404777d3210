#include "tests/agent_service/store/power_cut_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

namespace holdfast::agent {
namespace {

std::mutex mutex;
std::map<std::string, std::string> synced;  // by path
int sync_count = 0;
sqlite3_vfs* real = nullptr;
sqlite3_vfs watching;

// The real file comes directly behind it, in memory that SQLite owns.
struct File {
  sqlite3_file base;
  sqlite3_io_methods methods;
  const char* path;  // SQLite keeps it for as long as the file is open; null: a temporary file

  sqlite3_file* behind() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Behind(sqlite3_file* file) { return Of(file)->behind(); }

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int Sync(sqlite3_file* file, int flags) {
  const int result = Behind(file)->pMethods->xSync(Behind(file), flags);
  const std::lock_guard lock(mutex);
  ++sync_count;
  if (result == SQLITE_OK && Of(file)->path != nullptr) synced[Of(file)->path] = ReadAll(Of(file)->path);
  return result;
}

int Open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  File* opened = Of(file);
  opened->base.pMethods = nullptr;
  opened->path = path;
  const int result = real->xOpen(real, path, opened->behind(), flags, out_flags);
  if (opened->behind()->pMethods == nullptr) return result;
  sqlite3_io_methods& m = opened->methods;
  m = *opened->behind()->pMethods;
  m.xClose = [](sqlite3_file* f) { return Behind(f)->pMethods->xClose(Behind(f)); };
  m.xRead = [](sqlite3_file* f, void* b, int n, sqlite3_int64 o) {
    return Behind(f)->pMethods->xRead(Behind(f), b, n, o);
  };
  m.xWrite = [](sqlite3_file* f, const void* b, int n, sqlite3_int64 o) {
    return Behind(f)->pMethods->xWrite(Behind(f), b, n, o);
  };
  m.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) { return Behind(f)->pMethods->xTruncate(Behind(f), n); };
  m.xSync = Sync;
  m.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return Behind(f)->pMethods->xFileSize(Behind(f), n); };
  m.xLock = [](sqlite3_file* f, int n) { return Behind(f)->pMethods->xLock(Behind(f), n); };
  m.xUnlock = [](sqlite3_file* f, int n) { return Behind(f)->pMethods->xUnlock(Behind(f), n); };
  m.xCheckReservedLock = [](sqlite3_file* f, int* n) { return Behind(f)->pMethods->xCheckReservedLock(Behind(f), n); };
  m.xFileControl = [](sqlite3_file* f, int op, void* a) { return Behind(f)->pMethods->xFileControl(Behind(f), op, a); };
  m.xSectorSize = [](sqlite3_file* f) { return Behind(f)->pMethods->xSectorSize(Behind(f)); };
  m.xDeviceCharacteristics = [](sqlite3_file* f) { return Behind(f)->pMethods->xDeviceCharacteristics(Behind(f)); };
  m.xShmMap = [](sqlite3_file* f, int p, int n, int e, void volatile** o) {
    return Behind(f)->pMethods->xShmMap(Behind(f), p, n, e, o);
  };
  m.xShmLock = [](sqlite3_file* f, int o, int n, int flag) {
    return Behind(f)->pMethods->xShmLock(Behind(f), o, n, flag);
  };
  m.xShmBarrier = [](sqlite3_file* f) { Behind(f)->pMethods->xShmBarrier(Behind(f)); };
  m.xShmUnmap = [](sqlite3_file* f, int d) { return Behind(f)->pMethods->xShmUnmap(Behind(f), d); };
  m.iVersion = 2;  // without mapped pages, which would be written past xWrite
  opened->base.pMethods = &m;
  return result;
}

}  // namespace

void PowerCutVfs::Install() {
  if (real != nullptr) return;
  real = sqlite3_vfs_find(nullptr);
  watching = *real;
  watching.zName = "power-cut";
  watching.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
  watching.xOpen = Open;
  sqlite3_vfs_register(&watching, 1);
}

void PowerCutVfs::Cut(const std::filesystem::path& folder, const std::filesystem::path& after) {
  const std::lock_guard lock(mutex);
  std::filesystem::create_directories(after);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    // Shared memory is made anew; locks are gone with the process.
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name.ends_with("-shm") || name.ends_with(".lock")) continue;
    std::ofstream(after / name, std::ios::binary) << synced[entry.path().string()];
  }
}

int PowerCutVfs::syncs() {
  const std::lock_guard lock(mutex);
  return sync_count;
}

}  // namespace holdfast::agent
