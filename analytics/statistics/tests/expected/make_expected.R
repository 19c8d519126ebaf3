# Writes the *_r.csv files from the inputs beside this script: the second, independent opinion.
# Run after make_expected.py, which leaves the H3 neighbour pairs in the work folder.
# R 4.2.2 with spdep 1.2-7, metafor 3.8-1, sandwich 3.0-2, VGAM 1.1-7 (Debian 12).

suppressMessages({
  library(spdep)
  library(metafor)
  library(sandwich)
  library(VGAM)
})
options(digits = 17)

script <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))
folder <- dirname(normalizePath(script))
temporary <- Sys.getenv("TMPDIR", "/tmp")
work <- Sys.getenv("NOTSPOT_EXPECTED_WORK", file.path(temporary, "notspot-expected"))

input <- function(name, from = folder) read.csv(file.path(from, name), colClasses = c(cell = "character"))
output <- function(name, table) {
  numbers <- sapply(table, is.double)
  table[numbers] <- lapply(table[numbers], function(x) ifelse(is.na(x), "", sprintf("%.13g", x)))
  write.csv(table, file.path(folder, name), row.names = FALSE, quote = FALSE, na = "")
}

neighbours <- function(cells, pairs) {
  nb <- lapply(cells, function(cell) {
    near <- sort(match(pairs$other[pairs$cell == cell], cells))
    if (length(near)) near else 0L
  })
  structure(nb, class = "nb", region.id = cells)
}

pairs_of <- function(name, rings) {
  pairs <- read.csv(file.path(work, name), colClasses = c("integer", "character", "character"))
  pairs[pairs$rings == rings, ]
}

# Benjamini-Hochberg and Benjamini-Yekutieli; p.adjust leaves NA out of the family.
fdr <- input("fdr_input.csv")
output("fdr_r.csv", data.frame(id = fdr$id, bh_q = p.adjust(fdr$p, "BH"), by_q = p.adjust(fdr$p, "BY")))

# Gi* by localG with the cell itself among its neighbours.
gi_star <- function(name) {
  table <- input(paste0("gi_star_", name, "_input.csv"))
  if (is.null(table$value)) table$value <- table$failures / table$attempts
  table <- table[is.finite(table$value), ]
  table <- table[order(table$cell), ]
  do.call(rbind, lapply(1:2, function(rings) {
    nb <- neighbours(table$cell, pairs_of(paste0("gi_star_", name, "_pairs.csv"), rings))
    weights <- nb2listw(include.self(nb), style = "B", zero.policy = TRUE)
    z <- as.numeric(localG(table$value, weights, zero.policy = TRUE))
    data.frame(input = name, rings = rings, cell = table$cell, z = z)
  }))
}
output("gi_star_r.csv", do.call(rbind, lapply(c("city", "pentagon", "antimeridian"), gi_star)))

# Mantel-Haenszel: mantelhaen.test, and rma.mh for Breslow-Day-Tarone and the differences.
compare <- function(counts, model, reference) {
  own <- counts[counts$model == model, ]
  other <- counts[if (reference == "others") counts$model != model else counts$model == reference, ]
  sum_by <- function(rows, what) tapply(rows[[what]], factor(rows$stratum, sort(unique(counts$stratum))), sum)
  full <- data.frame(
    a = sum_by(own, "failures"), n1 = sum_by(own, "attempts"),
    c = sum_by(other, "failures"), n0 = sum_by(other, "attempts")
  )
  full <- full[complete.cases(full) & full$n1 > 0 & full$n0 > 0, ]
  full$b <- full$n1 - full$a
  full$d <- full$n0 - full$c
  used <- full[full$a + full$c > 0 & full$b + full$d > 0, ]
  cube <- array(rbind(used$a, used$c, used$b, used$d), c(2, 2, nrow(used)))
  plain <- mantelhaen.test(cube, correct = FALSE)
  corrected <- mantelhaen.test(cube, correct = TRUE)
  pooled <- rma.mh(ai = a, bi = b, ci = c, di = d, data = used, measure = "OR", add = 0, to = "none", drop00 = TRUE)
  difference <- rma.mh(ai = a, bi = b, ci = c, di = d, data = full, measure = "RD", add = 0, to = "none")
  ratio <- rma.mh(ai = a, bi = b, ci = c, di = d, data = full, measure = "RR", add = 0, to = "none")
  data.frame(
    model, reference, strata = nrow(used), or = unname(plain$estimate), low = plain$conf.int[1],
    high = plain$conf.int[2], chi2 = unname(plain$statistic), p = plain$p.value,
    chi2_half = unname(corrected$statistic), p_half = corrected$p.value, breslow_day = pooled$TA,
    breslow_day_p = pooled$TAp, risk_ratio = exp(as.numeric(ratio$beta)), risk_ratio_low = exp(ratio$ci.lb),
    risk_ratio_high = exp(ratio$ci.ub), risk_difference = as.numeric(difference$beta),
    risk_difference_se = difference$se
  )
}
counts <- input("models_input.csv")
models <- do.call(rbind, lapply(c("others", "A920", "D230"), function(reference) {
  family <- setdiff(sort(unique(counts$model)), reference)
  do.call(rbind, lapply(family, function(model) compare(counts, model, reference)))
}))
output("models_r.csv", models)

# Empirical Bayes: EBest and EBlocal (geoda = TRUE takes every deviation from the local mean of
# the cell itself, as Marshall writes it), and the beta-binomial by VGAM.
rates <- input("rates_spread_input.csv")
rates <- rates[rates$attempts > 0, ]
rates <- rates[order(rates$cell), ]
local <- function(rings) {
  nb <- neighbours(rates$cell, pairs_of("rates_spread_pairs.csv", rings))
  EBlocal(rates$failures, rates$attempts, nb, zero.policy = TRUE, geoda = TRUE)$est
}
fitted <- vglm(cbind(failures, attempts - failures) ~ 1, betabinomial, data = rates, epsilon = 1e-12, maxit = 200)
mu <- Coef(fitted)[["mu"]]
size <- 1 / Coef(fitted)[["rho"]] - 1
output("rates_r.csv", data.frame(
  cell = rates$cell, marshall = EBest(rates$failures, rates$attempts)$estmm, marshall_local_1 = local(1),
  marshall_local_2 = local(2),
  beta_binomial_ml = (rates$failures + mu * size) / (rates$attempts + size)
))

# Difference in differences: lm with vcovCL (HC1, cluster factor G / (G - 1)).
effect <- function(name, table, contrast, weighted) {
  sides <- aggregate(cbind(attempts, failures) ~ unit + treated + post, table, sum)
  sides <- sides[sides$attempts > 0, ]
  sides <- sides[ave(sides$attempts, sides$unit, FUN = length) == 2, ]
  sides$rate <- sides$failures / sides$attempts
  sides$w <- if (weighted) sides$attempts else 1
  fit <- lm(rate ~ treated * post, sides, weights = w)
  se <- sqrt(diag(vcovCL(fit, cluster = sides$unit, type = "HC1", cadjust = TRUE)))[4]
  df <- length(unique(sides$unit)) - 1
  estimate <- coef(fit)[[4]]
  half <- qt(0.975, df) * se
  data.frame(
    input = name, contrast, weighted = tolower(weighted), estimate, se, low = estimate - half,
    high = estimate + half, p = 2 * pt(-abs(estimate / se), df)
  )
}
split_at <- function(name, start, end = Inf) {
  table <- input(paste0("effect_", name, "_input.csv"))
  if (is.null(table$post)) table$post <- table$period >= start
  table$treated <- table$treated == "true"
  table$post <- as.numeric(table$post == "true" | table$post == "TRUE")
  if (is.null(table$period)) table else table[table$period < end, ]
}
effects <- do.call(rbind, lapply(c(FALSE, TRUE), function(weighted) rbind(
  effect("post", split_at("post", NA), "effect", weighted),
  effect("period", split_at("period", 5), "effect", weighted),
  effect("period", split_at("period", 3, 5), "placebo_start_3", weighted),
  effect("period", split_at("period", 4, 5), "placebo_start_4", weighted),
  effect("three", split_at("three", 3), "effect", weighted),
  effect("three", split_at("three", 2, 3), "placebo_start_2", weighted)
)))
output("effect_r.csv", effects)
