// HDF5's archive holds a driver for files in S3, which we never open; it wants libcurl and OpenSSL, whose archives want half a
// system. In the portable build these take their place: with them the driver fails to start, as without a network.

extern "C" {

int curl_global_init(long) {
  return 2;
}  // CURLE_FAILED_INIT
void curl_global_cleanup() {}
void* curl_easy_init() {
  return nullptr;
}
void curl_easy_cleanup(void*) {}
int curl_easy_perform(void*) {
  return 2;
}
int curl_easy_setopt(void*, int, ...) {
  return 2;
}
void* curl_slist_append(void*, const char*) {
  return nullptr;
}
void curl_slist_free_all(void*) {}

const void* EVP_sha256() {
  return nullptr;
}
unsigned char* SHA256(const unsigned char*, unsigned long, unsigned char*) {
  return nullptr;
}
unsigned char* HMAC(const void*, const void*, int, const unsigned char*, unsigned long,
                    unsigned char*, unsigned*) {
  return nullptr;
}
}
