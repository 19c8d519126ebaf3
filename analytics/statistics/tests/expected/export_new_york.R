# Writes scan_ny_input.csv: leukaemia in 281 census tracts of upstate New York, 1978-82, from the
# R package spData (CC0; data of Waller and Gotway 2004), whole cases, tract centroids in WGS84.

suppressMessages(library(sf))
script <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))
tracts <- st_read(system.file("shapes/NY8_utm18.shp", package = "spData"), quiet = TRUE)
centres <- st_coordinates(st_transform(st_centroid(st_geometry(tracts)), 4326))
table <- data.frame(
  id = sprintf("n%03d", seq_len(nrow(tracts))), lat = sprintf("%.5f", centres[, 2]), lon = sprintf("%.5f", centres[, 1]),
  attempts = as.integer(tracts$POP8), failures = as.integer(floor(tracts$Cases))
)
write.csv(table, file.path(dirname(normalizePath(script)), "scan_ny_input.csv"), row.names = FALSE, quote = FALSE)
