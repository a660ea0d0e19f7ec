import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.metadata.ParquetMetadata;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DateLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DecimalLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.ListLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.MapLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.StringLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.Type;
import shaded.parquet.com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Reads Parquet files, its arguments, by Apache's reader. For each a line of JSON: the schema as text, the codecs, the sizes of the row groups, the rows.
 * Values are as their logical types say: decimals, 64-bit integers, dates and times as texts, bytes in hexadecimal, maps as pairs.
 */
class ParquetPeer {
  public static void main(String[] files) throws Exception {
    for (String file : files) System.out.println(new ObjectMapper().writeValueAsString(read(new LocalInputFile(Path.of(file)))));
  }

  private static Map<String, Object> read(InputFile file) throws Exception {
    Map<String, Object> answer = new LinkedHashMap<>();
    try (ParquetFileReader reader = ParquetFileReader.open(file)) {
      ParquetMetadata footer = reader.getFooter();
      TreeSet<String> codecs = new TreeSet<>();
      List<Long> groups = new ArrayList<>();
      footer.getBlocks().forEach(block -> {
        groups.add(block.getRowCount());
        block.getColumns().forEach(column -> codecs.add(column.getCodec().name()));
      });
      answer.put("schema", footer.getFileMetaData().getSchema().toString());
      answer.put("codecs", codecs);
      answer.put("groups", groups);
    }
    List<Object> rows = new ArrayList<>();
    try (ParquetReader<Group> reader = new Builder(file).build()) {
      for (Group row = reader.read(); row != null; row = reader.read()) rows.add(struct(row));
    }
    answer.put("rows", rows);
    return answer;
  }

  private static class Builder extends ParquetReader.Builder<Group> {
    Builder(InputFile file) {
      super(file);
    }

    @Override
    protected ReadSupport<Group> getReadSupport() {
      return new GroupReadSupport();
    }
  }

  private static Map<String, Object> struct(Group group) {
    Map<String, Object> fields = new LinkedHashMap<>();
    GroupType type = group.getType();
    for (int at = 0; at < type.getFieldCount(); at++) fields.put(type.getFieldName(at), field(group, at));
    return fields;
  }

  /** Null where the field is not there. */
  private static Object field(Group group, int at) {
    if (group.getFieldRepetitionCount(at) == 0) return null;
    Type type = group.getType().getType(at);
    return type.isPrimitive() ? primitive(group, at, type) : nested(group.getGroup(at, 0));
  }

  private static Object nested(Group group) {
    LogicalTypeAnnotation logical = group.getType().getLogicalTypeAnnotation();
    if (logical instanceof ListLogicalTypeAnnotation) {
      List<Object> items = new ArrayList<>();
      for (int at = 0; at < group.getFieldRepetitionCount(0); at++) items.add(field(group.getGroup(0, at), 0));
      return items;
    }
    if (logical instanceof MapLogicalTypeAnnotation) {
      List<Object> pairs = new ArrayList<>();
      for (int at = 0; at < group.getFieldRepetitionCount(0); at++) {
        List<Object> pair = new ArrayList<>();
        pair.add(field(group.getGroup(0, at), 0));
        pair.add(field(group.getGroup(0, at), 1));
        pairs.add(pair);
      }
      return pairs;
    }
    return struct(group);
  }

  private static Object primitive(Group group, int at, Type type) {
    LogicalTypeAnnotation logical = type.getLogicalTypeAnnotation();
    switch (type.asPrimitiveType().getPrimitiveTypeName()) {
      case BOOLEAN:
        return group.getBoolean(at, 0);
      case INT32:
        int number = group.getInteger(at, 0);
        if (logical instanceof DateLogicalTypeAnnotation) return LocalDate.ofEpochDay(number).toString();
        if (logical instanceof TimeLogicalTypeAnnotation) return LocalTime.ofNanoOfDay(number * 1_000_000L).toString();
        return number;
      case INT64:
        long wide = group.getLong(at, 0);
        if (logical instanceof TimestampLogicalTypeAnnotation) return Instant.ofEpochMilli(wide).toString();
        return Long.toString(wide);
      case FLOAT:
        return Float.toString(group.getFloat(at, 0));
      case DOUBLE:
        return Double.toString(group.getDouble(at, 0));
      case BINARY:
        byte[] bytes = group.getBinary(at, 0).getBytes();
        if (logical instanceof StringLogicalTypeAnnotation) return group.getString(at, 0);
        if (logical instanceof DecimalLogicalTypeAnnotation decimal) {
          return new BigDecimal(new BigInteger(bytes), decimal.getScale()).toPlainString();
        }
        return HexFormat.of().formatHex(bytes);
      default:
        throw new IllegalStateException(type.toString());
    }
  }
}
