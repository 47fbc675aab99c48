//! What may be called and what may not be said: words in lower case, by class.
//!
//! A function is in a class when it reads nothing but its arguments, changes nothing, waits for nothing and tells nothing
//! about the server, its users or its files. `testcases/sql/functions-*.txt` holds the lists of the manuals with a verdict for
//! each function; a test compares them with the classes here.

use crate::contract::Dialect;

/// Words that no reading statement has outside quotes.
const FORBIDDEN_WORDS: &str = "\
    into outfile dumpfile insert update delete drop alter create grant revoke call load lock unlock procedure trigger rename kill \
    purge signal resignal returning current_user current_role session_user system_user high_priority sql_cache infile";

/// Whose functions a class holds.
const BOTH: &[Dialect] = &[Dialect::Mysql, Dialect::Sqlite];
const MYSQL: &[Dialect] = &[Dialect::Mysql];
const SQLITE: &[Dialect] = &[Dialect::Sqlite];

const CLASSES: &[(&[Dialect], &str, &str)] = &[
    (BOTH, "aggregate", "avg count group_concat max min sum"),
    (BOTH, "window", "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"),
    (BOTH, "condition", "coalesce if ifnull nullif"),
    (
        BOTH,
        "text",
        "char concat concat_ws format hex instr length lower ltrim octet_length quote replace rtrim soundex substr substring trim \
         unhex upper",
    ),
    (
        BOTH,
        "mathematics",
        "abs acos asin atan atan2 ceil ceiling cos degrees exp floor ln log log10 log2 mod pi pow power radians round sign sin \
         sqrt tan",
    ),
    (BOTH, "date", "current_date current_time current_timestamp date time timediff"),
    (
        BOTH,
        "JSON",
        "json_array json_extract json_insert json_object json_pretty json_quote json_remove json_replace json_set json_type \
         json_valid",
    ),
    (BOTH, "type", "cast"),
    (BOTH, "statistics", "median percentile_cont percentile_disc"),
    (
        MYSQL,
        "aggregate",
        "any_value bit_and bit_or bit_xor grouping json_arrayagg json_objectagg st_collect std stddev stddev_pop stddev_samp \
         var_pop var_samp variance",
    ),
    (MYSQL, "window", "rownum"),
    (MYSQL, "condition", "greatest isnull least nvl nvl2 strcmp"),
    (
        MYSQL,
        "text",
        "ascii bin bit_length char_length character_length chr conv convert elt export_set field find_in_set format_bytes \
         format_pico_time from_base64 insert lcase left lengthb locate lpad make_set mid natural_sort_key oct ord position \
         regexp_instr regexp_like regexp_replace regexp_substr repeat reverse right rpad sformat space substring_index to_base64 \
         to_char ucase weight_string",
    ),
    (MYSQL, "of a value", "charset coercibility collation column_check column_exists column_json column_list uncompressed_length"),
    (MYSQL, "digest", "crc32 crc32c etag md5 sha sha1 sha2"),
    (MYSQL, "mathematics", "bit_count cot rand to_number truncate"),
    (
        MYSQL,
        "date",
        "add_months adddate addtime convert_tz curdate curtime date_add date_format date_sub datediff day dayname dayofmonth \
         dayofweek dayofyear extract from_days from_unixtime get_format hour last_day localtime localtimestamp makedate maketime \
         microsecond minute month monthname months_between now period_add period_diff quarter sec_to_time second str_to_date \
         subdate subtime sysdate time_format time_to_sec timestamp timestampadd timestampdiff to_date to_days to_seconds trunc \
         unix_timestamp utc_date utc_time utc_timestamp week weekday weekofyear year yearweek",
    ),
    (
        MYSQL,
        "JSON",
        "json_array_append json_array_insert json_array_intersect json_compact json_contains json_contains_path json_depth \
         json_detailed json_equals json_exists json_keys json_key_value json_length json_loose json_merge json_merge_patch \
         json_merge_preserve json_normalize json_object_filter_keys json_object_to_array json_overlaps json_query \
         json_schema_valid json_schema_validation_report json_search json_storage_free json_storage_size json_table json_unquote json_value",
    ),
    (MYSQL, "network", "inet6_aton inet6_ntoa inet_aton inet_ntoa is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6"),
    (MYSQL, "UUID", "bin_to_uuid is_uuid uuid_to_bin"),
    (
        MYSQL,
        "vector",
        "distance from_vector string_to_vector to_vector vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext \
         vec_totext vector_dim vector_distance vector_to_string",
    ),
    (
        MYSQL,
        "geometry",
        "st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt st_boundary st_buffer st_buffer_strategy st_centroid \
         st_contains st_convexhull st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere st_endpoint \
         st_envelope st_equals st_exteriorring st_frechetdistance st_geohash st_geomcollfromtext st_geomcollfromtxt \
         st_geomcollfromwkb st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb \
         st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_hausdorffdistance st_interiorringn \
         st_intersection st_intersects st_isclosed st_isempty st_isring st_issimple st_isvalid st_latfromgeohash st_latitude \
         st_length st_linefromtext st_linefromwkb st_lineinterpolatepoint st_lineinterpolatepoints st_linestringfromtext \
         st_linestringfromwkb st_longfromgeohash st_longitude st_makeenvelope st_mlinefromtext st_mlinefromwkb st_mpointfromtext \
         st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb st_multilinestringfromtext st_multilinestringfromwkb \
         st_multipointfromtext st_multipointfromwkb st_multipolygonfromtext st_multipolygonfromwkb st_numgeometries \
         st_numinteriorring st_numinteriorrings st_numpoints st_overlaps st_pointatdistance st_pointfromgeohash st_pointfromtext \
         st_pointfromwkb st_pointn st_pointonsurface st_polyfromtext st_polyfromwkb st_polygonfromtext st_polygonfromwkb st_relate \
         st_simplify st_srid st_startpoint st_swapxy st_symdifference st_touches st_transform st_union st_validate st_within st_x \
         st_y",
    ),
    (MYSQL, "geometry, shapes", "geomcollection geometrycollection linestring multilinestring multipoint multipolygon point polygon"),
    (
        MYSQL,
        "geometry, boxes",
        "mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin",
    ),
    (
        MYSQL,
        "geometry, old names",
        "area asbinary astext aswkb aswkt boundary buffer centroid contains convexhull crosses dimension disjoint endpoint \
         envelope equals exteriorring geomcollfromtext geomcollfromwkb geometrycollectionfromtext geometrycollectionfromwkb \
         geometryfromtext geometryfromwkb geometryn geometrytype geomfromtext geomfromwkb glength interiorringn intersects \
         isclosed isempty isring issimple linefromtext linefromwkb linestringfromtext linestringfromwkb mlinefromtext mlinefromwkb \
         mpointfromtext mpointfromwkb mpolyfromtext mpolyfromwkb multilinestringfromtext multilinestringfromwkb multipointfromtext \
         multipointfromwkb multipolygonfromtext multipolygonfromwkb numgeometries numinteriorrings numpoints overlaps \
         pointfromtext pointfromwkb pointn pointonsurface polyfromtext polyfromwkb polygonfromtext polygonfromwkb srid startpoint \
         touches within x y",
    ),
    (MYSQL, "row", "row"),
    (SQLITE, "aggregate", "json_group_array json_group_object percentile string_agg total"),
    (SQLITE, "condition", "glob iif like"),
    (SQLITE, "text", "printf typeof unicode unistr"),
    (SQLITE, "mathematics", "acosh asinh atanh cosh random sinh tanh trunc"),
    (SQLITE, "date", "datetime julianday strftime unixepoch"),
    (SQLITE, "JSON", "json json_array_length json_error_position json_patch"),
];

/// Words of the grammar, types among them, that stand before a parenthesis.
const GRAMMAR: &str = "\
    select distinct distinctrow all from join on using where having by as over values value union except intersect filter lateral \
    materialized exists any some in and or xor not like rlike regexp glob match against between is div escape binary case when \
    then else limit offset interval within group explain preceding decimal numeric dec varchar nchar varbinary int integer bigint \
    float double datetime real text rollup sets separator outer cross inner index key of columns path";

fn holds(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|known| known == word)
}

pub(super) fn is_forbidden_word(word: &str) -> bool {
    holds(FORBIDDEN_WORDS, word)
}

/// The class that lets a function through.
pub(super) fn class_of(function: &str, dialect: Dialect) -> Option<&'static str> {
    CLASSES.iter().find(|(whose, _, names)| whose.contains(&dialect) && holds(names, function)).map(|(_, class, _)| *class)
}

/// Functions that make one value of many rows.
pub(super) fn aggregates(dialect: Dialect) -> impl Iterator<Item = &'static str> {
    let classes = CLASSES.iter().filter(move |(whose, class, _)| whose.contains(&dialect) && ["aggregate", "statistics"].contains(class));
    classes.flat_map(|(_, _, names)| names.split_ascii_whitespace())
}

pub(super) fn may_stand_before_parenthesis(name: &str, dialect: Dialect) -> bool {
    holds(GRAMMAR, name) || class_of(name, dialect).is_some()
}

/// Tables that the database itself keeps, or makes up, whatever the schema.
pub(super) fn is_system_table(name: &str) -> bool {
    let name = name.to_lowercase();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let is_sequence = name.strip_prefix("seq_").and_then(|rest| rest.split_once("_to_")).is_some_and(|(from, _)| is_number(from));
    is_sequence
        || ["sqlite_", "pragma_", "dbstat", "fts3", "fts4", "fts5", "json_each", "json_tree", "generate_series"]
            .iter()
            .any(|start| name.starts_with(start))
        || is_system_schema(&name)
}

pub(super) fn is_system_schema(name: &str) -> bool {
    let name = name.to_lowercase();
    ["information_schema", "mysql", "performance_schema", "sys", "temp", "pg_catalog"].contains(&name.as_str())
}
