// CPU quotas of control groups, in made-up /proc and /sys trees.
#define BOOST_TEST_MODULE cpu_quota
#include "eflow/jit/host/cpu_quota.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/tests/support/temp_dir.hpp"

using eflow::jit::cpu_quota;

namespace {

struct Machine {
  eflow::test::TempDir root;
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  [[nodiscard]] int quota() const { return cpu_quota(root.path()); }
};

constexpr const char* kMountV2 = "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";
constexpr const char* kMountV1 =
    "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

}  // namespace

BOOST_AUTO_TEST_CASE(no_quota) {
  const Machine m;
  BOOST_TEST(m.quota() == 0);
  m.write("proc/self/mountinfo", kMountV2);
  m.write("proc/self/cgroup", "0::/job\n");
  m.write("sys/fs/cgroup/job/cpu.max", "max 100000\n");
  BOOST_TEST(m.quota() == 0);
}

BOOST_AUTO_TEST_CASE(version_2_asks_the_own_group_and_those_above) {
  const Machine m;
  m.write("proc/self/mountinfo", kMountV2);
  m.write("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  m.write("sys/fs/cgroup/slurm/job_7/step_0/cpu.max", "max 100000\n");
  m.write("sys/fs/cgroup/slurm/job_7/cpu.max", "350000 100000\n");
  m.write("sys/fs/cgroup/slurm/job_8/cpu.max", "100000 100000\n");  // another's
  BOOST_TEST(m.quota() == 3);
  m.write("sys/fs/cgroup/slurm/job_7/step_0/cpu.max", "50000 100000\n");
  BOOST_TEST(m.quota() == 1);
}

BOOST_AUTO_TEST_CASE(version_1_asks_the_hierarchy_of_the_cpu_controller) {
  const Machine m;
  m.write("proc/self/mountinfo", kMountV1);
  m.write("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/system.slice/run-1.service\n0::/u\n");
  const std::string group = "sys/fs/cgroup/cpu,cpuacct/system.slice/run-1.service/";
  m.write(group + "cpu.cfs_quota_us", "200000\n");
  m.write(group + "cpu.cfs_period_us", "100000\n");
  BOOST_TEST(m.quota() == 2);
  m.write(group + "cpu.cfs_quota_us", "-1\n");
  BOOST_TEST(m.quota() == 0);
}

BOOST_AUTO_TEST_CASE(a_container_may_see_its_group_as_the_root) {
  const Machine m;
  // The mount shows the container's group, which /proc names from the host's root.
  m.write("proc/self/mountinfo",
          "32 30 0:28 /docker/abc /sys/fs/cgroup/cpu\\040x ro - cgroup cgroup ro,cpu\n");
  m.write("proc/self/cgroup", "4:cpu:/docker/abc/inner\n");
  m.write("sys/fs/cgroup/cpu x/inner/cpu.cfs_quota_us", "400000\n");
  m.write("sys/fs/cgroup/cpu x/inner/cpu.cfs_period_us", "100000\n");
  BOOST_TEST(m.quota() == 4);
  m.write("sys/fs/cgroup/cpu x/cpu.cfs_quota_us", "100000\n");
  m.write("sys/fs/cgroup/cpu x/cpu.cfs_period_us", "50000\n");
  BOOST_TEST(m.quota() == 2);
  m.write("proc/self/cgroup", "4:cpu:/elsewhere\n");  // not below the mount
  BOOST_TEST(m.quota() == 2);
}
